import { SCRIPT } from './script/script';
import { BASE_STYLE } from './style-base';
import { SECTION_STYLE } from './style-sections';
import { TEMPLATES } from './templates';

/** The page, which holds nothing of a store: its script asks for that. */
export function renderPage({
  nonce,
  refreshMs,
}: {
  readonly nonce: string;
  readonly refreshMs: number;
}): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>hot-secrets</title>
<link rel="icon" href="${ICON}">
<style nonce="${nonce}">
${BASE_STYLE}${SECTION_STYLE}</style>
</head>
<body data-refresh-ms="${refreshMs}">
<header class="bar">
  <h1>hot-secrets</h1>
  <p class="who" id="who"></p>
  <p class="live"><span class="mark" id="live-mark" data-level="absent" aria-hidden="true"></span><span id="live-words">Loading</span></p>
</header>
<main id="stores">
  <noscript><p class="empty">This page needs JavaScript. The same as JSON: this address with <code>format=json</code> in its query.</p></noscript>
</main>
<div class="notice" id="notice" hidden><p id="notice-words"></p><button type="button" id="notice-button" hidden>Reload</button></div>
<p class="unseen" role="status" id="announcer"></p>
${TEMPLATES}
<script nonce="${nonce}" type="module">
${SCRIPT}</script>
</body>
</html>
`;
}

/** A turn around a dot. A data url, so that browsers do not ask for /favicon.ico. */
const ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><g fill="none" stroke="#3d7a5a" stroke-width="2.2" stroke-linecap="round"><path d="M13.5 8a5.5 5.5 0 1 1-1.7-4"/></g><circle cx="8" cy="8" r="2" fill="#3d7a5a"/></svg>',
)}`;
