import { count, renderTable } from '../table';
import type { Figures, Summary } from './measure';
import { type Way, wayTitles } from './rotations';

/** The measurements of both variants. */
export interface Comparison {
  readonly hotSecrets: Summary;
  readonly naive: Summary;
}

/** What the table calls the requests and the server. */
const WORDS = { requests: 'queries', server: 'the database' };

/** The ways in which hot-secrets broke its promise. Empty if it kept it. */
export function brokenPromises({ hotSecrets }: Comparison): string[] {
  return Object.entries(hotSecrets.ways).flatMap(
    ([way, { failed, hung, queries, oldConnectionsGoneMedianMs }]) => {
      const broken: string[] = [];
      if (queries === 0) broken.push('there was no load');
      if (failed > 0) broken.push(`${failed} requests failed`);
      if (hung > 0) broken.push(`${hung} requests hung`);
      if (oldConnectionsGoneMedianMs === null) broken.push('connections with an old credential stayed open');
      return broken.map((what) => `${wayTitles[way as Way]}: ${what}`);
    },
  );
}

/** Renders the comparison as a text table. */
export function renderReport({ hotSecrets, naive }: Comparison, color: boolean, words = WORDS): string {
  const row = (title: string, cell: (figures: Summary) => string) => [title, cell(hotSecrets), cell(naive)];
  const rows = [
    ['', 'hot-secrets', 'naive'],
    row(words.requests, ({ queries }) => count(queries)),
    row('failed', ({ failed }) => count(failed)),
    row('hung', ({ hung }) => count(hung)),
    row('p50 / p99 between rotations, ms', (f) => `${f.steadyP50Ms} / ${f.steadyP99Ms}`),
    row('p50 / p99 during rotations, ms', (f) => `${f.rotationP50Ms} / ${f.rotationP99Ms}`),
    row('old connections gone after, ms', gone),
    row('peak number of connections', ({ peakConnections }) => count(peakConnections)),
    row(`logins refused by ${words.server}`, ({ rejectedLogins }) => count(rejectedLogins)),
  ];
  const ways = Object.entries(hotSecrets.ways).map(([way, ours]) => {
    const theirs = naive.ways[way as Way];
    const title = `${wayTitles[way as Way]}, ${ours.rotations} ${ours.rotations === 1 ? 'rotation' : 'rotations'}`;
    return [title, outcome(ours), theirs === undefined ? '' : outcome(theirs)];
  });
  const heading = ['during rotations: failed / hung / p99, ms', '', ''];
  return renderTable([...rows, [], heading, ...ways], color);
}

const outcome = ({ failed, hung, rotationP99Ms }: Figures) =>
  `${count(failed)} / ${count(hung)} / ${rotationP99Ms}`;

function gone({ oldConnectionsGoneMedianMs }: Figures): string {
  return oldConnectionsGoneMedianMs === null ? 'some stayed' : String(Math.round(oldConnectionsGoneMedianMs));
}
