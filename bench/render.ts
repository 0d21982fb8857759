import type { Check, FigureResult } from './support/result';

const NAME_WIDTH = 16;

/** Renders one figure: its checks with their targets, then its details. */
export function renderFigure(name: string, { checks, details }: FigureResult): string {
  const lines = checks.map((check, index) => {
    const label = (index === 0 ? name : '').padEnd(NAME_WIDTH);
    return `${label}${check.pass ? 'met   ' : 'MISSED'}  ${check.name}: ${amount(check)} (target: at most ${check.target})`;
  });
  const parts = Object.entries(details).map(
    ([what, value]) => `${' '.repeat(NAME_WIDTH)}          ${what}: ${format(value)}`,
  );
  return [...lines, ...parts].join('\n');
}

export function renderMissed(name: string, check: Check): string {
  const excess = check.value - check.target;
  const share = check.target === 0 ? '' : ` (${Math.round((excess / check.target) * 100)} %)`;
  return `${name}: ${check.name} is ${amount(check)}, ${format(excess)} above the target of ${check.target}${share}`;
}

function amount({ value, unit }: Check): string {
  return unit === '' ? format(value) : `${format(value)} ${unit}`;
}

function format(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en') : String(Number(value.toPrecision(3)));
}
