/** Colours, type, and what every panel shares. Text has a contrast of 4.5 and more on its ground, in both schemes. */
export const BASE_STYLE = /* css */ `
:root {
  color-scheme: light dark;
  --ground: #f7f7f4;
  --panel: #ffffff;
  --ink: #1d1d1a;
  --soft: #62625a;
  --line: #e5e4de;
  --hover: #f4f4f0;
  --tint: #e6effc;
  --ok: #2f7d54;
  --active: #2a5db0;
  --warning: #8a5a00;
  --problem: #b3261e;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  --mono: ui-monospace, SFMono-Regular, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #131312;
    --panel: #1b1b19;
    --ink: #ebeae5;
    --soft: #a3a299;
    --line: #2e2e2b;
    --hover: #232321;
    --tint: #1e2b40;
    --ok: #5fbd8b;
    --active: #86b1f5;
    --warning: #dfab4a;
    --problem: #f58b80;
  }
}
* { box-sizing: border-box; margin: 0; padding: 0; }
[hidden] { display: none !important; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 60px; }
body {
  background: var(--ground);
  color: var(--ink);
  font: 14px/1.45 var(--sans);
  overflow-wrap: anywhere;
}
ul, ol { list-style: none; }
button, input { font: inherit; color: inherit; }
code, .label, td.version { font-family: var(--mono); font-size: 0.93em; font-variant-ligatures: none; }
:focus-visible { outline: 2px solid var(--active); outline-offset: 3px; border-radius: 3px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

/* A form for each level beside its colour: disc, ring, triangle, square on its tip, faint ring. */
.mark { flex: none; width: 9px; height: 9px; border-radius: 50%; background: var(--ok); forced-color-adjust: none; }
.mark[data-level="active"] { background: none; border: 2.5px solid var(--active); }
.mark[data-level="warning"] { border-radius: 0; background: var(--warning); clip-path: polygon(50% 0, 100% 100%, 0 100%); }
.mark[data-level="problem"] { border-radius: 1px; background: var(--problem); rotate: 45deg; scale: 0.9; }
.mark[data-level="absent"] { background: none; border: 1.5px solid var(--soft); }

.bar {
  position: sticky; top: 0; z-index: 2;
  display: flex; align-items: center; gap: 12px;
  height: 48px; padding-inline: max(16px, calc((100% - 1360px) / 2));
  background: var(--ground); border-bottom: 1px solid var(--line);
  font-size: 13px; white-space: nowrap;
}
.bar h1 { font-size: 14px; font-weight: 600; letter-spacing: -0.01em; }
time, .live, .state, .age, .ends { font-variant-numeric: tabular-nums; }
.who { min-width: 0; color: var(--soft); overflow: hidden; text-overflow: ellipsis; }
.live { display: flex; align-items: center; gap: 8px; margin-left: auto; color: var(--soft); }
main { padding: 28px max(16px, calc((100% - 1360px) / 2)) 96px; }
.store + .store { margin-top: 56px; }
.panel { min-width: 0; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; }
.panel > header { display: flex; align-items: center; justify-content: space-between; gap: 16px; min-height: 44px; padding: 6px 16px; border-bottom: 1px solid var(--line); }
h3 { font-size: 13px; font-weight: 600; }
.count { margin-left: 4px; color: var(--soft); font-weight: 400; }
.empty { padding: 14px 16px; color: var(--soft); max-width: 56ch; }
.under, .message { color: var(--soft); font-size: 13px; }
.problems li { color: var(--soft); font-size: 13px; }
.problems code, .event code { color: var(--problem); }
[data-level="warning"] code { color: var(--warning); }
[data-level="ok"] code { color: var(--soft); }

/* Which process answers is worth more than whose page it is. */
@media (max-width: 479px) { .bar h1 { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); } }

.notice {
  position: fixed; z-index: 3; inset: auto 16px 16px; width: fit-content; max-width: min(640px, calc(100% - 32px)); margin-inline: auto;
  display: flex; align-items: center; gap: 16px; padding: 12px 16px;
  background: var(--ink); color: var(--ground); border-radius: 8px; box-shadow: 0 8px 28px rgb(0 0 0 / 0.22);
}
.notice button { flex: none; padding: 4px 12px; border: 1px solid currentColor; border-radius: 5px; background: none; cursor: pointer; }
.notice :focus-visible { outline-color: currentColor; }

.fresh { animation: fresh 6s ease-out; }
@keyframes fresh { from, 30% { background-color: var(--tint); } }
@media (prefers-reduced-motion: reduce) {
  .fresh { animation: none; background-color: var(--tint); }
}
`;
