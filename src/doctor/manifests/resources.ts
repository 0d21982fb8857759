import {
  type About,
  type DoctorCode,
  type Finding,
  type FindingArgs,
  type FindingLevel,
  finding,
} from '../findings';
import type { Field } from './fields';

/** An object of a manifest. */
export interface Resource {
  readonly root: Field;
  readonly kind: string;
  readonly name: string;
  /** `undefined` if the manifest leaves it to the command that applies it: then every namespace fits. */
  readonly namespace: string | undefined;
  /** What messages call it: `Deployment "shop"`. */
  readonly where: string;
}

export interface Container {
  readonly root: Field;
  readonly name: string;
  /** Init containers end before the others start; a sidecar (`restartPolicy: Always`) does not. */
  readonly isInit: boolean;
  readonly where: string;
}

/** How a volume brings secrets into a pod. */
export type VolumeKind = 'csi' | 'secret' | 'projected';

export interface Volume {
  readonly root: Field;
  readonly name: string;
  readonly kind: VolumeKind | undefined;
}

/** An object that has pods. */
export interface Workload extends Resource {
  /** The metadata of the pods. */
  readonly metadata: Field;
  readonly spec: Field;
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
  /** Pods of a Job read secrets once: the next one gets the new value. */
  readonly isJob: boolean;
}

export const CSI_DRIVER = 'secrets-store.csi.k8s.io';

/** The objects of one document: a list has many. */
export function resourcesIn(root: Field): Resource[] {
  const kind = root.get('kind').text;
  if (kind.endsWith('List')) return root.get('items').items.flatMap((one) => resourcesIn(one));
  const apiVersion = root.get('apiVersion').text;
  if (kind === '' || apiVersion === '' || /kustomize\.config/.test(apiVersion)) return [];
  const name = root.get('metadata', 'name').text;
  const namespace = root.get('metadata', 'namespace').text || undefined;
  return [{ root, kind, name, namespace, where: `${kind} "${name}"` }];
}

const POD_PATHS = [['spec', 'template'], ['spec', 'jobTemplate', 'spec', 'template'], ['template']] as const;

/** The workload, if the object is one: of Kubernetes itself, or of an extension that has pods in the same form. */
export function workloadOf(resource: Resource): Workload | undefined {
  const { root, kind, where } = resource;
  const pods = kind === 'Pod' ? [root] : POD_PATHS.map((path) => root.get(...path));
  const pod = pods.find((one) => one.get('spec', 'containers').items.length > 0);
  if (pod === undefined) return undefined;
  const spec = pod.get('spec');
  const containers = ['initContainers', 'containers'].flatMap((list) =>
    spec.get(list).items.map((one): Container => {
      const name = one.get('name').text;
      const isInit = list === 'initContainers' && one.get('restartPolicy').text !== 'Always';
      return { root: one, name, isInit, where: `container "${name}" of ${where}` };
    }),
  );
  const volumes = spec.get('volumes').items.map((one) => ({
    root: one,
    name: one.get('name').text,
    kind: kindOf(one),
  }));
  return { ...resource, metadata: pod.get('metadata'), spec, containers, volumes, isJob: /Job$/.test(kind) };
}

function kindOf(volume: Field): VolumeKind | undefined {
  if (volume.get('csi', 'driver').text === CSI_DRIVER) return 'csi';
  if (volume.get('secret').exists) return 'secret';
  const isSecret = (one: Field) =>
    ['secret', 'serviceAccountToken', 'podCertificate'].some((name) => one.get(name).exists);
  return volume.get('projected', 'sources').items.some(isSecret) ? 'projected' : undefined;
}

/** All objects, and how they are found. */
export class Cluster {
  readonly resources: readonly Resource[];
  readonly workloads: readonly Workload[];

  constructor(resources: readonly Resource[]) {
    this.resources = resources;
    this.workloads = resources.flatMap((one) => workloadOf(one) ?? []);
  }

  ofKind(kind: string): Resource[] {
    return this.resources.filter((one) => one.kind === kind);
  }

  /** The object that `from` means by this name. */
  find(kind: string, name: string, from: Resource): Resource | undefined {
    return this.ofKind(kind).find((one) => one.name === name && inSameNamespace(one, from));
  }

  /** A finding, if an object of this name is in other namespaces only. */
  elsewhere(kind: string, name: string, from: Resource, field: Field): Finding[] {
    const others = this.ofKind(kind).filter((one) => one.name === name);
    const [other] = others;
    if (other === undefined || others.some((one) => inSameNamespace(one, from))) return [];
    const args = { where: from.where, kind, name, other: String(other.namespace) };
    return [at(field, 'NAMESPACE_MISMATCH', args)];
  }

  /** The SecretProviderClasses that the containers of a pod mount: the kubelet sets up no other volumes. */
  classesOf(workload: Workload): Resource[] {
    return workload.volumes.flatMap((volume) => {
      if (volume.kind !== 'csi' || mountsOf(workload, volume.name).length === 0) return [];
      return this.find('SecretProviderClass', classNameOf(volume), workload) ?? [];
    });
  }

  /** Whether a pod has a volume with a SecretProviderClass that is not among the objects. */
  lacksClass(workload: Workload): boolean {
    return workload.volumes.some(
      (one) => one.kind === 'csi' && !this.find('SecretProviderClass', classNameOf(one), workload),
    );
  }
}

export function inSameNamespace(one: Resource, other: Resource): boolean {
  return one.namespace === undefined || other.namespace === undefined || one.namespace === other.namespace;
}

export function classNameOf(volume: Volume): string {
  return volume.root.get('csi', 'volumeAttributes', 'secretProviderClass').text;
}

/** Where containers mount a volume. */
export function mountsOf({ containers }: Workload, volume: string): { container: Container; mount: Field }[] {
  return containers.flatMap((container) =>
    container.root
      .get('volumeMounts')
      .items.filter((mount) => mount.get('name').text === volume)
      .map((mount) => ({ container, mount })),
  );
}

/** What `envsubst` and people replace before anything is applied. */
export function isPlaceholder(text: string): boolean {
  return /^<.*>$|\$\{?[A-Za-z_]|\{\{/.test(text);
}

export type Place = Pick<Field, 'file' | 'line'>;

/** A finding with the place of a field. */
export function at<C extends DoctorCode>(
  field: Place,
  code: C,
  args: FindingArgs[C],
  level?: FindingLevel,
): Finding {
  const about: About = { place: field.file, line: field.line, level };
  return finding(code, args, about);
}
