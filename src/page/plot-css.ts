import { DARK_COLOURS, LIGHT_COLOURS, PLOT_STYLE } from "../bench/plot-style.js";

/** build/site/plot.css: plots in the bench page, which has its own colours for everything else. */
export const PLOT_CSS = `:root{--text:var(--ink);--back:var(--card)}
${LIGHT_COLOURS}
@media (prefers-color-scheme:dark){${DARK_COLOURS}}
${PLOT_STYLE}
#results svg{min-width:800px}#results :is(td,thead th){white-space:nowrap}#results caption{text-align:left}
#results section{margin-bottom:2em}
`;
