import { readdirSync, readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { fromRepository, succeed } from './repository';

/** A Kubernetes object, as loosely typed as its YAML. */
// biome-ignore lint/suspicious/noExplicitAny: the schemas check what it holds
export type Manifest = Record<string, any>;

const FOLDER = 'examples/aks/manifests';

export const overlays = readdirSync(fromRepository(FOLDER, 'overlays'));

/** The manifests of the base as they are written, or those of an overlay as Kustomize builds them. */
export async function manifests(name: string): Promise<Manifest[]> {
  if (name !== 'base') {
    return parsed(await succeed('kubectl', ['kustomize', fromRepository(FOLDER, 'overlays', name)]));
  }
  return readdirSync(fromRepository(FOLDER, name))
    .filter((file) => file !== 'kustomization.yaml')
    .flatMap((file) => parsed(readFileSync(fromRepository(FOLDER, name, file), 'utf8')));
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
