import type { Diagnosis } from '../diagnose';
import { describeFinding } from '../messages';

/** The diagnosis as JSON, for programs: `{ version, level, facts, findings }`, each finding with its sentences. */
export function renderJson({ level, facts, findings }: Diagnosis): string {
  const described = findings.map((finding) => ({ ...finding, ...describeFinding(finding) }));
  return `${JSON.stringify({ version: 1, level: level ?? 'none', facts, findings: described }, null, 2)}\n`;
}
