import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, normalize } from 'node:path';
import { errorCode } from '../../internal/describe-error';
import { type Finding, finding } from '../findings';
import { type Field, loadYaml, type Parsed, parse } from './fields';
import { type Resource, resourcesIn } from './resources';

/** A text from elsewhere than a file, such as the output of `helm template`. `name` stands in findings where a path would. */
export interface ManifestText {
  readonly name: string;
  readonly text: string;
}

export interface ReadManifests {
  readonly files: number;
  readonly resources: readonly Resource[];
  readonly findings: readonly Finding[];
}

const EXTENSIONS: ReadonlySet<string> = new Set(['.yaml', '.yml', '.json']);

/** What every manifest has; other YAML and JSON files are left alone, even if they are broken. */
const MARKS = [/\bapiVersion["']?\s*:/, /\bkind["']?\s*:/];
const KUSTOMIZATION = /(^|[/\\])[kK]ustomization(\.ya?ml)?$/;

interface Read {
  readonly file: string;
  readonly documents: readonly Field[];
}

/** Reads every manifest in files, in directories below them, and in texts. */
export async function readManifests(inputs: readonly (string | ManifestText)[]): Promise<ReadManifests> {
  await loadYaml();
  const findings: Finding[] = [];
  const texts = inputs.flatMap((input) => (typeof input === 'string' ? textsAt(input, findings) : [input]));
  const read: Read[] = [];
  const templates: string[] = [];
  for (const { name, text } of texts) {
    if (!MARKS.every((one) => one.test(text)) && !KUSTOMIZATION.test(name)) continue;
    const parsed = parse(name, text);
    const { documents, error } = parsed;
    if (isTemplate(text, parsed)) templates.push(name);
    else if (error !== undefined) {
      const about = { place: name, line: error.line };
      findings.push(finding('MANIFEST_INVALID', { path: name, reason: error.reason }, about));
    } else read.push({ file: name, documents });
  }
  const { patches, folder } = patchesIn(read);
  const applied = read.filter(({ file }) => !patches.has(normalize(file)));
  const resources = applied.flatMap(({ documents }) => documents.flatMap((one) => resourcesIn(one)));
  findings.push(
    ...templateNote(templates, `helm template ${templates[0] && chartOf(templates[0])}`),
    ...templateNote(
      read.flatMap(({ file }) => (patches.has(normalize(file)) ? [file] : [])),
      `kustomize build ${folder}`,
    ),
  );
  if (resources.length === 0 && findings.length === 0) {
    const names = inputs.map((one) => (typeof one === 'string' ? one : one.name));
    findings.push(finding('MANIFEST_NONE', { names }, { place: names[0] }));
  }
  return { files: new Set(resources.map(({ root }) => root.file)).size, resources, findings };
}

function textsAt(path: string, findings: Finding[]): ManifestText[] {
  try {
    if (!statSync(path).isDirectory()) return [{ name: path, text: readFileSync(path, 'utf8') }];
    return readdirSync(path, { withFileTypes: true })
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .filter((entry) => !/^(\.|node_modules$)/.test(entry.name))
      .filter((entry) => entry.isDirectory() || (EXTENSIONS.has(extname(entry.name)) && !entry.isSocket()))
      .flatMap((entry) => textsAt(join(path, entry.name), findings));
  } catch (error) {
    const reason = errorCode(error) ?? 'unknown error';
    findings.push(finding('MANIFEST_UNREADABLE', { path, reason }, { place: path }));
    return [];
  }
}

/** Helm's braces are YAML only by chance. In a ConfigMap they may be meant. */
function isTemplate(text: string, { documents, error, hasBraces }: Parsed): boolean {
  if (!text.includes('{{')) return false;
  if (error !== undefined || hasBraces) return true;
  return documents.some((one) =>
    [one.get('kind'), one.get('metadata', 'name'), one.get('metadata', 'namespace')].some(({ text: value }) =>
      value.includes('{{'),
    ),
  );
}

function chartOf(template: string): string {
  const [chart] = template.split(/[/\\]templates[/\\]/);
  return chart === template || chart === undefined ? 'CHART' : chart;
}

/** The patches of kustomizations: they are parts of objects, which say nothing alone. */
function patchesIn(read: readonly Read[]): { patches: ReadonlySet<string>; folder: string } {
  const patches = new Set<string>();
  let folder = '.';
  for (const { file, documents } of read) {
    for (const one of documents) {
      const lists = [one.get('patches'), one.get('patchesStrategicMerge'), one.get('patchesJson6902')];
      for (const item of lists.flatMap(({ items }) => items)) {
        const path = item.text || item.get('path').text;
        if (path === '') continue;
        patches.add(normalize(join(dirname(file), path)));
        folder = dirname(file);
      }
    }
  }
  return { patches, folder };
}

function templateNote(names: readonly string[], command: string): Finding[] {
  return names.length === 0 ? [] : [finding('MANIFEST_TEMPLATE', { names, command }, { place: names[0] })];
}
