import { readdirSync, readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { fromRepository, succeed } from './repository';

/** A Kubernetes object, as loosely typed as its YAML. */
// biome-ignore lint/suspicious/noExplicitAny: the schemas check what it holds
export type Manifest = Record<string, any>;

const FOLDER = 'examples/aks/manifests';

export const overlays = readdirSync(fromRepository(FOLDER, 'overlays'));

const built = new Map<string, Promise<string>>();

/** The manifests of the base as they are written, or those of an overlay as Kustomize builds them. */
export async function manifests(name: string): Promise<Manifest[]> {
  const text = built.get(name) ?? (name === 'base' ? written(name) : build(name));
  built.set(name, text);
  return parsed(await text);
}

async function written(name: string): Promise<string> {
  return readdirSync(fromRepository(FOLDER, name))
    .filter((file) => file !== 'kustomization.yaml')
    .map((file) => readFileSync(fromRepository(FOLDER, name, file), 'utf8'))
    .join('---\n');
}

function build(overlay: string): Promise<string> {
  return succeed('kubectl', ['kustomize', fromRepository(FOLDER, 'overlays', overlay)]);
}

function parsed(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS();
  });
}

export function one(list: readonly Manifest[], kind: string, name = 'shop'): Manifest {
  const found = list.filter((object) => object.kind === kind && object.metadata.name === name);
  if (found.length !== 1) throw new Error(`There are ${found.length} manifests of ${kind} ${name}.`);
  return found[0] as Manifest;
}

export function containerOf(list: readonly Manifest[]): Manifest {
  return one(list, 'Deployment').spec.template.spec.containers[0];
}
