/** What the script fills in. It writes text into `data-part` elements, and never makes markup. */
export const TEMPLATES = /* html */ `
<template id="store">
<section class="store">
  <header class="overview">
    <div>
      <h2 data-part="name"></h2>
      <p class="headline"><span class="mark" data-part="mark" aria-hidden="true"></span><span data-part="headline"></span></p>
    </div>
    <dl class="facts">
      <div><dt>Generation</dt><dd data-part="generation"></dd></div>
      <div><dt>Last rotation</dt><dd data-part="rotation"></dd></div>
      <div><dt>Next expiry</dt><dd data-part="ends"></dd></div>
    </dl>
  </header>
  <div class="board">
    <section class="panel resources">
      <header><h3>Resources <span class="count" data-part="resources-count"></span></h3></header>
      <div class="scroll" role="group" tabindex="0">
        <ul class="things" data-part="resources"></ul>
        <p class="empty" data-part="resources-empty">Nothing follows this store yet. Pools, servers and agents appear here once they are made from it.</p>
      </div>
    </section>
    <section class="panel sources">
      <header><h3>Sources <span class="count" data-part="sources-count"></span></h3></header>
      <div class="scroll" role="group" tabindex="0">
        <ul class="things" data-part="sources"></ul>
      </div>
    </section>
    <section class="panel timeline">
      <header><h3>Timeline</h3></header>
      <div class="scroll" role="group" tabindex="0">
        <ol class="events" data-part="timeline"></ol>
        <p class="empty" data-part="timeline-empty"></p>
      </div>
    </section>
    <section class="panel secrets">
      <header>
        <h3>Secrets <span class="count" data-part="secrets-count"></span></h3>
        <input type="search" class="filter" placeholder="Filter" aria-label="Filter secrets" autocomplete="off" spellcheck="false" data-part="filter">
      </header>
      <table role="table" data-part="secrets">
        <thead role="rowgroup" data-part="secrets-head">
          <tr role="row"><th role="columnheader" scope="col" class="name">Name</th><th role="columnheader" scope="col" class="source">Source</th><th role="columnheader" scope="col" class="version">Version</th><th role="columnheader" scope="col" class="age">Loaded</th><th role="columnheader" scope="col" class="ends">Expires</th></tr>
        </thead>
      </table>
      <p class="empty" data-part="secrets-empty" hidden></p>
    </section>
  </div>
</section>
</template>

<template id="secret">
<tbody class="secret" role="rowgroup">
  <tr class="main" role="row">
    <th scope="row" role="rowheader" class="name"><button type="button" aria-expanded="false" data-part="toggle"><span class="mark" data-part="mark" aria-hidden="true"></span><span data-part="name"></span><span class="unseen" data-part="state"></span></button></th>
    <td role="cell" class="source"><span data-part="source"></span><span class="passed" data-part="passed"></span></td>
    <td role="cell" class="version" data-part="version"></td>
    <td role="cell" class="age" data-part="age"></td>
    <td role="cell" class="ends" data-part="ends"></td>
  </tr>
  <tr class="more" role="row" data-part="problems-row" hidden><td role="cell" colspan="5"><ul class="problems" data-part="problems"></ul></td></tr>
  <tr class="more" role="row" data-part="details-row" hidden><td role="cell" colspan="5"><dl class="details" data-part="details"></dl></td></tr>
</tbody>
</template>

<template id="problem"><li><code data-part="code"></code> <span data-part="message"></span></li></template>

<template id="detail"><div><dt data-part="term"></dt><dd data-part="words"></dd></div></template>

<template id="thing">
<li class="thing">
  <p class="title"><span class="mark" data-part="mark" aria-hidden="true"></span><span class="label" data-part="name"></span><span class="kind" data-part="kind"></span><span class="state" data-part="state"></span></p>
  <p class="under" data-part="under"></p>
  <p class="under" data-part="note"></p>
  <ul class="problems" data-part="problems"></ul>
</li>
</template>

<template id="event">
<li class="event">
  <time data-part="time"></time>
  <div>
    <p class="title"><span class="mark" data-part="mark" aria-hidden="true"></span><span><span class="label" data-part="names"></span> <span data-part="verb"></span></span></p>
    <p class="message" data-part="why"><code data-part="code"></code> <span data-part="message"></span></p>
    <p class="under" data-part="under"></p>
  </div>
</li>
</template>
`;
