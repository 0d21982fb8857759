/** Returns the value of a digit in decimal or hex, or -1. */
export function digitAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

export function isSpace(code: number): boolean {
  return code <= 0x7f ? code === 0x20 || (code >= 9 && code <= 13) : /\s/.test(String.fromCharCode(code));
}
