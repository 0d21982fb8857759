/** Overview, the four panels of a store, and how they share wide and narrow screens. */
export const SECTION_STYLE = /* css */ `
.overview { display: grid; gap: 14px 48px; margin-bottom: 24px; }
.overview h2 { font: 500 13px/1.4 var(--mono); color: var(--soft); }
.headline { display: flex; align-items: baseline; gap: 12px; margin-top: 2px; font-size: 24px; line-height: 1.25; font-weight: 600; letter-spacing: -0.018em; text-wrap: balance; }
.headline .mark { width: 14px; height: 14px; }
.headline .mark[data-level="active"] { border-width: 3.5px; }
/* Of fixed widths, one line each: nothing moves when a text gets longer. */
.facts { display: grid; grid-template-columns: 72px 250px 210px; gap: 24px; }
.facts dd { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.facts dt { color: var(--soft); font-size: 12.5px; }

.board { display: grid; gap: 16px; grid-template-columns: minmax(0, 1fr); }
.scroll { overflow-y: auto; overscroll-behavior: contain; border-radius: 0 0 8px 8px; }
.resources .scroll, .sources .scroll { max-height: 400px; }
.timeline { display: flex; flex-direction: column; max-height: 420px; }

.thing { padding: 8px 16px; }
.thing + .thing, .event + .event { border-top: 1px solid var(--line); }
.title { display: flex; align-items: baseline; gap: 9px; }
.thing .label { font-weight: 500; }
.thing .kind { color: var(--soft); font-size: 13px; }
.thing .state { margin-left: auto; padding-left: 8px; font-size: 13px; color: var(--soft); white-space: nowrap; }
.thing[data-level="active"] .state { color: var(--active); }
.thing[data-level="warning"] .state { color: var(--warning); }
.thing[data-level="problem"] .state { color: var(--problem); }
.thing .under, .thing .problems { padding-left: 18px; }
.problems li { margin-top: 2px; }

.event { display: grid; grid-template-columns: 62px minmax(0, 1fr); gap: 10px; padding: 8px 16px; }
.event time { color: var(--soft); font-size: 13px; }
.event .title { font-size: 13.5px; }
.event .message, .event .under { padding-left: 18px; margin-top: 1px; }

table { width: 100%; border-collapse: collapse; table-layout: fixed; text-align: left; }
th, td { padding: 7px 8px; font-weight: 400; vertical-align: baseline; }
tr > :first-child { padding-left: 16px; }
tr > :last-child { padding-right: 16px; }
thead th { padding-block: 8px; color: var(--soft); font-size: 12.5px; }
.secret { border-top: 1px solid var(--line); }
th.name { width: 34%; }
th.version { width: 92px; }
th.age { width: 104px; }
th.ends { width: 104px; }
.secret .version, .secret .age, .secret .ends { color: var(--soft); font-size: 13px; }
.secret .ends[data-soon="true"] { color: var(--warning); }
.secret[data-level="problem"] .ends[data-soon="true"] { color: var(--problem); }
.secret button { display: flex; align-items: baseline; gap: 9px; width: 100%; border: 0; background: none; text-align: left; cursor: pointer; }
.secret button [data-part="name"] { font: 500 13px/1.45 var(--mono); font-variant-ligatures: none; }
.secret button::after { content: ""; flex: none; align-self: center; width: 6px; height: 6px; border: solid var(--soft); border-width: 0 1.5px 1.5px 0; rotate: -45deg; opacity: 0; }
.secret button[aria-expanded="true"]::after { rotate: 45deg; translate: 0 -2px; }
.secret .main:hover button::after, .secret button:focus-visible::after, .secret button[aria-expanded="true"]::after { opacity: 1; }
@media (hover: none) { .secret button::after { opacity: 0.7; } }
@media (hover: hover) { .secret .main:hover { background: var(--hover); } }
.secret[data-level="absent"] .source, .passed { color: var(--soft); }
.passed { margin-left: 8px; font-size: 13px; }
.more > td { padding: 2px 16px 10px 34px; }
.details { display: grid; gap: 3px; font-size: 13px; }
.details div { display: grid; grid-template-columns: 84px minmax(0, 1fr); gap: 12px; }
.details dt { color: var(--soft); }
.filter { width: 200px; min-width: 0; padding: 4px 10px; border: 1px solid var(--line); border-radius: 6px; background: var(--ground); }
.filter::placeholder { color: var(--soft); opacity: 1; }

@media (min-width: 760px) {
  .board { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
  .timeline, .secrets { grid-column: 1 / -1; }
}
@media (min-width: 1080px) {
  .board { grid-template: auto 1fr / minmax(0, 1fr) minmax(0, 1fr) 380px; }
  .timeline { grid-area: 1 / 3 / 3 / 4; align-self: start; position: sticky; top: 64px; max-height: calc(100vh - 80px); }
  .secrets { grid-column: 1 / 3; }
}
@media (min-width: 1280px) {
  .overview { grid-template-columns: minmax(0, 1fr) auto; align-items: end; }
}
@media (max-width: 759px) {
  body { font-size: 15px; }
  main { padding-top: 20px; }
  .headline { font-size: 21px; }
  .facts { grid-template-columns: minmax(0, 1fr); gap: 4px; }
  .facts div { display: grid; grid-template-columns: 104px minmax(0, 1fr); align-items: baseline; }
  .filter { font-size: 16px; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, .secret, .more, .more > td { display: block; width: auto; }
  .secret .main { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 1px 12px; padding: 9px 16px; }
  .secret .main > * { padding: 0; width: auto; }
  .secret .name, .secret .source { grid-column: 1; }
  .secret .source { grid-row: 2; padding-left: 18px; color: var(--soft); font-size: 13px; }
  .secret .age { grid-area: 1 / 2; text-align: right; }
  .secret .ends { grid-area: 2 / 2; text-align: right; }
  .secret .version { display: none; }
  .more > td { padding: 0 16px 9px 34px; }
}
`;
