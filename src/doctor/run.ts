import { existsSync } from 'node:fs';
import type { Definition } from '../definitions/definition';
import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { type Lookup, lookup } from '../secret/lookup';
import { environment } from '../sources/environment';
import { DEFAULT_MOUNT } from '../sources/mounted-files/layout';
import type { Reading, Source } from '../sources/source';
import { declaredBy } from '../store/declared';
import { defaultMountPaths } from '../store/default-sources';
import { checkDeclaredNames, checkServed, definitionsOf, type Picture, serve } from './checks/declared';
import { checkDiscovered } from './checks/discovered';
import { checkCopies, checkVariables, environmentOnly, type ServedValue } from './checks/environment';
import { checkIdentity } from './checks/identity';
import { checkLiveStore } from './checks/live-store';
import { type CheckedMount, checkMount, type MountFacts } from './checks/mount';
import { checkCopiesOfPackage, checkNode, checkPeers } from './checks/runtime';
import { checkVault } from './checks/vault';
import { checkSwaps, checkWatchLimits } from './checks/watching';
import { type Finding, finding, findingOf } from './findings';
import type { readDiagnoseOptions } from './options';
import type { System } from './system';

/** Everything takes less, unless a file system or a source hangs. */
const MAX_MS = 30_000;

/** One run of all checks. */
export class Run {
  readonly findings: Finding[] = [];
  readonly mounts: MountFacts[] = [];
  readonly #system: System;
  readonly #options: ReturnType<typeof readDiagnoseOptions>;
  readonly #signal = AbortSignal.timeout(MAX_MS);
  readonly #definitions: ReadonlyMap<string, Definition<unknown>> | undefined;

  constructor(system: System, options: ReturnType<typeof readDiagnoseOptions>) {
    this.#system = system;
    this.#options = options;
    const { secrets, store } = options;
    this.#definitions = secrets === undefined ? declaredBy(store) : definitionsOf(secrets);
  }

  async all(): Promise<void> {
    const system = this.#system;
    const { store, environment: _, liveTest } = this.#options;
    await this.#check('node', () => checkNode(system));
    await this.#check('packages', () => [...checkPeers(system), ...checkCopiesOfPackage(system)]);
    const pictures = await this.#withVault(await this.#pictures());
    const served =
      this.#definitions === undefined ? await this.#discovered(pictures) : await this.#declared(pictures);
    await this.#check('copies in the environment', () => checkCopies(system, served));
    await this.#check('workload identity', () => checkIdentity(system, this.#wantsVault()));
    await this.#check('watch limits', () => checkWatchLimits(system));
    if (liveTest) await this.#check('watching', () => checkSwaps(system, this.#signal));
    for (const { readings } of pictures) wipe(readings);
    if (store !== undefined) await this.#check('store', () => this.#unknown(checkLiveStore(store)));
  }

  /** Runs one check. A bug in it must not hide what the others find. */
  async #check(name: string, run: () => readonly Finding[] | Promise<readonly Finding[]>): Promise<void> {
    try {
      this.#add(...(await run()));
    } catch (error) {
      if (isSecretsError(error)) this.#add(findingOf(error));
      else this.#add(finding('CHECK_FAILED', { check: name, reason: describeError(error) }));
    }
  }

  #add(...findings: readonly Finding[]): void {
    this.findings.push(...findings);
  }

  /** A running store reports problems that a check found too, and knew more about. */
  #unknown(findings: readonly Finding[]): Finding[] {
    return findings.filter(
      ({ code, secret }) => !this.findings.some((one) => one.code === code && one.secret === secret),
    );
  }

  #lookups(): Lookup[] {
    const all = [...(this.#definitions?.values() ?? [])].flatMap(({ lookups }) => lookups);
    return [...new Map(all.map((one) => [one.name, one])).values()];
  }

  /** What each source has, in order of precedence. */
  async #pictures(): Promise<Picture[]> {
    const { sources, mounts, store } = this.#options;
    const { environment } = this.#system;
    if (sources !== undefined) {
      const pictures: Picture[] = [];
      for (const source of sources) pictures.push(...(await this.#pictureOf(source)));
      return pictures;
    }
    if (mounts === undefined && store !== undefined) {
      const pictures: Picture[] = [];
      for (const { source, location } of store.report().sources) {
        if (source === 'mounted-files') pictures.push(...(await this.#mount(location, true)));
        else if (source === 'environment') pictures.push(await this.#environment());
        else pictures.push(unread(source, location));
      }
      return pictures;
    }
    const named = mounts ?? (environment.SECRETS_PATH ? [environment.SECRETS_PATH] : undefined);
    // Each of these may be missing. If all are, the first one that people expect is what the finding should name.
    const usual = defaultMountPaths(environment).filter((path) => existsSync(path));
    const pictures: Picture[] = [];
    for (const mount of named ?? (usual.length > 0 ? usual : [DEFAULT_MOUNT])) {
      pictures.push(...(await this.#mount(mount, named !== undefined)));
    }
    // Without sources, a store reads this vault too.
    const vault = environment.AZURE_KEY_VAULT_ENDPOINT;
    if (vault) pictures.push(unread('key-vault', vault));
    return [...pictures, await this.#environment()];
  }

  async #pictureOf(source: Source): Promise<Picture[]> {
    if (source.name === 'mounted-files') return this.#mount(source.location, true);
    if (source.name === 'environment') return [await this.#environment()];
    if (source.name === 'key-vault') {
      // Requests are opt-in.
      return [unread(source.name, source.location)];
    }
    const request = { lookups: this.#lookups(), list: true, since: undefined, signal: this.#signal };
    try {
      await source.open?.(this.#signal);
      const { readings } = await source.read(request);
      return [{ source: source.name, location: source.location, readings }];
    } catch (error) {
      const what = `the source ${source.name} cannot be read: ${describeError(error)}`;
      const known = isSecretsError(error) ? error : new SecretsError('SOURCE_FAILED', what);
      this.#add(findingOf(known, { place: source.location || source.name }));
      return [unread(source.name, source.location)];
    }
  }

  async #mount(path: string, named: boolean): Promise<Picture[]> {
    const { expectedRotationDays } = this.#options;
    let checked: CheckedMount | undefined;
    await this.#check('mount', async () => {
      const request = { path, named, lookups: this.#lookups(), expectedRotationDays, signal: this.#signal };
      checked = await checkMount(this.#system, request);
      return checked.findings;
    });
    if (checked === undefined) return [];
    const { facts, readings, findings } = checked;
    this.mounts.push(facts);
    const failed = findings.some(({ code, level }) => FAILURES.has(code) && level === 'error');
    return [{ source: 'mounted-files', location: facts.path, readings, unknown: failed && named }];
  }

  async #environment(): Promise<Picture> {
    const request = { lookups: this.#lookups(), list: false, since: undefined, signal: this.#signal };
    const { readings } = await environment(this.#system.environment).read(request);
    return { source: 'environment', location: '', readings };
  }

  async #declared(pictures: readonly Picture[]): Promise<ServedValue[]> {
    const definitions = this.#definitions as ReadonlyMap<string, Definition<unknown>>;
    await this.#check('names', () => checkDeclaredNames(definitions));
    const values: ServedValue[] = [];
    for (const [name, definition] of definitions) {
      const { served, findings } = serve(name, definition, pictures);
      this.#add(...findings);
      if (served === undefined) continue;
      await this.#check(`secret ${name}`, () => checkServed(served));
      for (const [index, one] of definition.lookups.entries()) {
        const reading = served.found[index];
        if (reading === undefined) continue;
        if (served.picture.source !== 'environment') values.push({ secret: name, lookup: one, reading });
        // A variable may name a file, which rotates, or be no secret at all.
        else if (one.env.includes(reading.origin) && reading.problems === undefined) {
          const others = pictures.some(({ source }) => source !== 'environment');
          const hasOthers = others && this.mounts.some(({ files }) => files > 0);
          this.#add(environmentOnly(this.#system, name, reading.origin, hasOthers));
        }
      }
    }
    return values;
  }

  async #discovered(pictures: readonly Picture[]): Promise<ServedValue[]> {
    const values: ServedValue[] = [];
    const files = pictures.filter(({ source }) => source !== 'environment');
    for (const picture of files) {
      await this.#check('values', () => checkDiscovered(picture));
      values.push(...this.#valuesOf(picture));
    }
    const hasMount = this.mounts.some(({ files: count }) => count > 0);
    await this.#check('environment', () => checkVariables(this.#system, values, hasMount));
    return values;
  }

  #wantsVault(): boolean {
    const { keyVault, sources = [] } = this.#options;
    const { AZURE_KEY_VAULT_ENDPOINT } = this.#system.environment;
    return Boolean(keyVault ?? AZURE_KEY_VAULT_ENDPOINT) || sources.some(({ name }) => name === 'key-vault');
  }

  /** Reads the vault, if requests are wanted, and compares the mounts with it. */
  async #withVault(pictures: readonly Picture[]): Promise<readonly Picture[]> {
    const { keyVault: options } = this.#options;
    const at = pictures.findIndex(({ source }) => source === 'key-vault');
    if (options === undefined) return pictures;
    let readings: ReadonlyMap<string, Reading> | undefined;
    await this.#check('vault', async () => {
      const mounted = pictures.flatMap((one) => (one.source === 'mounted-files' ? this.#valuesOf(one) : []));
      const declared = this.#definitions && this.#lookups();
      const lookups = declared ?? mounted.map((one) => one.lookup);
      const checked = await checkVault(this.#system, { options, lookups, mounted, signal: this.#signal });
      ({ readings } = checked);
      return checked.findings;
    });
    if (readings === undefined || at === -1) {
      wipe(readings ?? new Map());
      return pictures;
    }
    const picture = {
      source: 'key-vault',
      location: options.vaultUrl,
      readings,
      unknown: readings.size === 0,
    };
    return pictures.map((one, index) => (index === at ? picture : one));
  }

  /** What a source has under the declared names, or under its own. */
  #valuesOf({ readings }: Picture): ServedValue[] {
    const wanted: (readonly [string, Lookup | undefined])[] =
      this.#definitions === undefined
        ? [...readings.keys()].map((name) => [name, lookupOf(name)])
        : [...this.#definitions].flatMap(([name, { lookups }]) => lookups.map((one) => [name, one] as const));
    return wanted.flatMap(([secret, one]) => {
      const reading = one && readings.get(one.name);
      return one !== undefined && reading?.status === 'found' ? [{ secret, lookup: one, reading }] : [];
    });
  }
}

/** Errors of a mount of which nothing was read. */
const FAILURES: ReadonlySet<string> = new Set([
  'MOUNT_MISSING',
  'MOUNT_EMPTY',
  'MOUNT_NOT_DIRECTORY',
  'MOUNT_UNREADABLE',
  'MOUNT_UNSTABLE',
]);

function unread(source: string, location: string): Picture {
  return { source, location, readings: new Map(), unknown: true };
}

function lookupOf(name: string): Lookup | undefined {
  try {
    return lookup(name);
  } catch {
    // The check of the values reports the name.
    return undefined;
  }
}

function wipe(readings: ReadonlyMap<string, Reading>): void {
  for (const reading of readings.values()) if (reading.status === 'found') reading.bytes.fill(0);
}
