import { fork } from "node:child_process";

// OpenSSL reads this when it is loaded: bit 57 is AES-NI, bit 33 is PCLMULQDQ.
const WITHOUT_AES = "~0x200000200000000";

let child;
let answers = Promise.resolve();

/** Asks the child and waits; one question at a time. */
function ask(question) {
  answers = answers.then(
    () =>
      new Promise((resolve, reject) => {
        const gone = () => reject(new Error("the process without AES instructions has ended"));
        child.once("exit", gone);
        child.once("message", (answer) => {
          child.off("exit", gone);
          if (answer.error === undefined) resolve(answer);
          else reject(new Error(answer.error));
        });
        child.send(question);
      }),
  );
  return answers;
}

export default [
  {
    name: "node:crypto, AES instructions off",
    family: "node-soft",
    runs: "native",
    constantTime: "AES yes, GHASH tables",
    note: "a process of its own, which takes its turns like the others (OPENSSL_ia32cap)",
    async load() {
      if (process.arch !== "x64") throw new Error("only OpenSSL on x64 can be told to do without");
      child = fork(new URL("../soft-child.mjs", import.meta.url), {
        env: { ...process.env, OPENSSL_ia32cap: WITHOUT_AES },
      });
      await ask({ ready: true });
      return { ask };
    },
    close: () => child?.kill(),
  },
];
