/**
 * Whether a client is to get the page: `format` in the url decides, else its `Accept` header. Who takes anything, as curl
 * does, gets JSON.
 */
export function prefersPage(url: URL, accept: string | null): boolean {
  const format = url.searchParams.get('format');
  if (format !== null) return format === 'html';
  const html = qualityOf('text/html', accept ?? '');
  return html > 0 && html >= qualityOf('application/json', accept ?? '');
}

/** How much a client wants a type that it names: 0 to 1. */
function qualityOf(type: string, accept: string): number {
  for (const range of accept.toLowerCase().split(',')) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim());
    if (name !== type) continue;
    const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    return quality === undefined ? 1 : Number(quality) || 0;
  }
  return 0;
}
