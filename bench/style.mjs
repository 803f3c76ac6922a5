// The report's style sheet.
import { DARK_COLOURS, LIGHT_COLOURS, PLOT_STYLE } from "../build/bench/plot-style.js";

export const STYLE = `
:root{--text:#1c2024;--soft:#5b6470;--line:#d5d9de;--back:#fff;--good:#15803d;--bad:#b3261e}
${LIGHT_COLOURS}
@media (prefers-color-scheme:dark){:root{--text:#e6e9ec;--soft:#9aa4af;--line:#353c44;--back:#14171a;--good:#4ade80;--bad:#ff8a80}${DARK_COLOURS}}
body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:var(--text);background:var(--back)}
h1{font-size:1.7em}h2{font-size:1.3em;margin:2em 0 .3em}h3{font-size:1em;margin:1.2em 0 0}
nav{display:flex;flex-wrap:wrap;gap:.3em 1.1em}a{color:inherit}.note,nav{color:var(--soft)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:12.5px;margin:.5em 0}
th,td{padding:3px 7px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;color:var(--soft)}.numbers th:nth-child(n+3){text-align:right;white-space:nowrap}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.numbers td:first-child{white-space:nowrap}small{display:block;color:var(--soft)}
.met{color:var(--good);fill:var(--good)}.bad,.missed{color:var(--bad)}.missed{fill:var(--bad)}.unknown{color:var(--soft)}
svg tspan.met{fill:var(--good)}svg tspan.missed{fill:var(--bad)}svg .wanted{fill:var(--soft)}.sign{text-anchor:middle}.goal-line{stroke:var(--text);stroke-width:1.5}
.sum{font-size:1.15em;margin:.2em 0}.sum b{font-size:1.9em;margin-left:.5em}.sum b:first-child{margin-left:0}
.swatch{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:7px;background:var(--c)}
summary{cursor:pointer;color:var(--soft)}
${PLOT_STYLE}`;
