import { styleText } from 'node:util';
import type { Diagnosis } from '../diagnose';
import type { Finding, FindingLevel } from '../findings';
import { describeFinding } from '../messages';

/** Options of `renderText`. */
export interface RenderTextOptions {
  /** Colours, for a terminal. Default: false. */
  readonly colors?: boolean | undefined;
  /** The current time, for ages, in milliseconds since the epoch. Default: now. */
  readonly now?: number | undefined;
}

type Style = 'red' | 'yellow' | 'cyan' | 'green' | 'bold' | 'dim';

const STYLES: Readonly<Record<FindingLevel, Style>> = { error: 'red', warning: 'yellow', note: 'cyan' };

/** The diagnosis for people: where the doctor searched, one paragraph for each finding, and a summary. */
export function renderText({ findings, facts }: Diagnosis, options: RenderTextOptions = {}): string {
  const { colors = false, now = Date.now() } = options;
  const style = (format: Style, text: string) => (colors ? styled(format, text) : text);
  const { manifests } = facts;
  const head = [
    manifests === undefined
      ? `Node ${facts.node}${facts.uid === undefined ? '' : `, uid ${facts.uid}`}`
      : `${counted(manifests.objects, 'object')} in ${counted(manifests.files, 'file')}`,
    ...facts.mounts.map(({ path, kind, fileSystem, writtenAt, files }) =>
      [
        `${path}: ${KINDS[kind]}${fileSystem === undefined || kind === 'absent' ? '' : ` (${fileSystem})`}`,
        ...(files > 0 ? [counted(files, 'file')] : []),
        ...(writtenAt === undefined ? [] : [`written ${ago(now - writtenAt.getTime())} ago`]),
      ].join(', '),
    ),
  ];
  const lines = [
    ...head.map((line) => style('dim', printable(line))),
    '',
    ...findings.flatMap((finding) => [...paragraph(finding, style), '']),
    summary(findings, style),
  ];
  return `${lines.join('\n')}\n`;
}

const KINDS: Readonly<Record<Diagnosis['facts']['mounts'][number]['kind'], string>> = {
  csi: 'a volume of the Secrets Store CSI driver',
  secret: 'a Secret volume',
  configmap: 'a ConfigMap volume',
  projected: 'a projected volume',
  kubernetes: 'a CSI or Secret volume',
  plain: 'a plain directory',
  file: 'a single file',
  absent: 'does not exist',
};

function paragraph(finding: Finding, style: (format: Style, text: string) => string): string[] {
  const { code, level, place, line } = finding;
  const { what, next } = describeFinding(finding);
  const isNamed = place === undefined || (line === undefined && what.includes(place));
  const where = isNamed
    ? []
    : [`  ${style('dim', printable(line === undefined ? place : `${place}:${line}`))}`];
  const fix = next === '' ? [] : [`  → ${printable(next)}`];
  const title = `${style(STYLES[level], level)} ${style('bold', code)} ${sentence(printable(what))}`;
  return [title, ...where, ...fix];
}

function summary(findings: readonly Finding[], style: (format: Style, text: string) => string): string {
  if (findings.length === 0) return style('green', 'Nothing to fix.');
  const counts = (['error', 'warning', 'note'] as const).flatMap((level) => {
    const count = findings.filter((one) => one.level === level).length;
    return count === 0 ? [] : [style(STYLES[level], counted(count, level))];
  });
  return counts.join(', ');
}

/** Node 22 and newer would drop the style where its own output is not a terminal. */
function styled(format: Style, text: string): string {
  return (styleText as (format: Style, text: string, options: object) => string)(format, text, {
    validateStream: false,
  });
}

/** File names may contain control characters, which a terminal would obey. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`);
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function ago(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / 60_000));
  if (minutes < 120) return counted(minutes, 'minute');
  const hours = Math.round(minutes / 60);
  return hours < 48 ? counted(hours, 'hour') : counted(Math.round(hours / 24), 'day');
}
