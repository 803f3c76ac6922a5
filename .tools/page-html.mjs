// The pages' HTML, made of what stands in src/page/*.html: an element with a hyphen in its name stands for what the forms
// have in common, and {{seal.title}} for the text TEXTS.seal.title.

const text = (name) => `{{${name}}}`;
const titled = ({ label, hint }) =>
  `<span>${text(label)}${hint ? ` <small>${text(hint)}</small>` : ""}</span>`;
/** Attributes as HTML, but those that a part uses itself. */
const rest = (attributes, ...used) =>
  Object.entries(attributes)
    .filter(([name]) => !used.includes(name))
    .map(([name, value]) => (value === true ? ` ${name}` : ` ${name}="${value}"`))
    .join("");

const textField = ({ "needs-authority": needs, ...given }) => {
  const input = rest({ autocomplete: "off", ...given }, "label", "hint");
  const label = needs
    ? '<label class="field" data-needs-authority hidden>'
    : '<label class="field">';
  return `${label}${titled(given)}<input${input} /></label>`;
};
const fileField = ({ name, label, hint, many }) =>
  `<div class="field" data-files="${name}" data-label="${text(label)}"` +
  `${hint ? ` data-hint="${text(hint)}"` : ""}${many ? " data-multiple" : ""}></div>`;
const passphrase = { type: "password", maxlength: "1024", autocomplete: "new-password" };

/** What each element stands for, by its attributes. */
const PARTS = {
  "text-field": textField,
  // files.ts makes the input.
  "file-field": fileField,
  "check-field": (given) =>
    `<label class="check"><input type="checkbox" name="${given.name}" />${titled(given)}</label>`,
  "new-passphrase": () =>
    textField({
      label: "make.passphrase",
      hint: "make.passphraseHint",
      name: "passphrase",
      ...passphrase,
    }) + textField({ label: "make.again", name: "again", ...passphrase }),
  "where-field": ({ name }) =>
    `<fieldset id="${name}" hidden><legend>${text("bulk.where")}</legend></fieldset>`,
  "other-authority": ({ name }) =>
    `<details class="more" data-other-authority><summary>${text("keys.otherAuthority")}</summary>` +
    `${fileField({ name: `${name}-file`, label: "keys.authorityFile", hint: "keys.authorityFileHint" })}` +
    `<div data-sign-in="${name}"></div></details>`,
  // A step of a guide (guide.ts), up to its end.
  "step-form": ({ name, title }) =>
    `<li data-step="${name}"><h3 tabindex="-1">${text(title)}</h3><form>`,
};
const ENDS = { "step-form": '</form><div class="work"></div></li>' };

function attributesOf(source) {
  const found = source.matchAll(/([\w-]+)(?:="([^"]*)")?/g);
  return Object.fromEntries([...found].map(([, name, value = true]) => [name, value]));
}

/**
 * @param html with parts and names of texts
 * @param texts TEXTS of src/page/texts.ts
 * @throws an Error if there is no such part or text
 */
export function htmlOf(html, texts) {
  const escaped = (value) => value.replace(/[&<>"]/g, (one) => `&#${one.codePointAt(0)};`);
  const missing = (what) => {
    throw new Error(`a page has ${what}, which is not there`);
  };
  return html
    .replace(/<(\w+-\w+)\b([^>]*?)\s*\/?>/g, (_, name, attributes) =>
      (PARTS[name] ?? missing(`<${name}>`))(attributesOf(attributes)),
    )
    .replace(/<\/(\w+-\w+)>/g, (_, name) => ENDS[name] ?? missing(`</${name}>`))
    .replace('lang="en"', `lang="${texts.lang}"`)
    .replace(/\{\{(\w+)\.(\w+)\}\}/g, (_, group, name) => {
      const value = texts[group]?.[name];
      return typeof value === "string" ? escaped(value) : missing(`{{${group}.${name}}}`);
    });
}
