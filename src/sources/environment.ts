import { SecretsError } from '../errors';
import { builtin } from '../internal/builtins';
import { flag, ms, readOptions } from '../internal/options';
import { environmentName, type Lookup } from '../secret/lookup';
import type { Reading, ReadRequest, Source } from './source';
import { type VariableFile, VariableFiles } from './variable-files';

const { readFileSync } = builtin('fs');

type Variables = Readonly<NodeJS.ProcessEnv>;

/** Options of `environment`. */
export interface EnvironmentOptions {
  /**
   * Reads the file that `DATABASE_PASSWORD_FILE` names if `DATABASE_PASSWORD` is not set, and follows its rotation. Default: true.
   */
  readonly files?: boolean | undefined;
  /** Interval of the poll that runs alongside the watch of these files, in milliseconds, at least 10. Default: 30 000. */
  readonly pollIntervalMs?: number | undefined;
}

/** Variables of the system, the shell, Node, npm and Kubernetes. They are never secrets. */
const SYSTEM = new RegExp(
  `^(${[
    'PATH|HOME|USER|USERNAME|LOGNAME|SHELL|PWD|OLDPWD|SHLVL|TERM|TMPDIR|TEMP|TMP|TZ|LANG|LANGUAGE|MAIL|EDITOR|PAGER',
    'HOST|HOSTNAME|DISPLAY|PORT|_|UID|PPID|HOSTTYPE|OSTYPE|USERPROFILE|USERDOMAIN|COMPUTERNAME|APPDATA',
    'LC_.+|XDG_.+|NODE_.+|npm_.+|NPM_.+|KUBERNETES_.+',
    // Service links: https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
    '.+_SERVICE_HOST|.+_SERVICE_PORT(_.+)?|.+_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?',
  ].join('|')})$`,
);

/** Names of which some begin like those of a system: `NPM_TOKEN`, `NODE_AUTH_TOKEN`. */
const NAMES_A_SECRET = /(TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|KEY|CREDENTIALS?)$/;

/** The address that Kubernetes and Docker write into `REDIS_PORT` for a service `redis`. */
const SERVICE_LINK = /^(tcp|udp|sctp):\/\/(\[[0-9a-f:.]+\]|[0-9.]+):[0-9]+$/i;

/** Variables that name files of tools. */
const FILE_OF_TOOL = /^(SSL_CERT|LOG|PID|ENV|COMPOSE|CONFIG|NODE_.+|npm_.+|NPM_.+)_FILE$/;

/**
 * Reads environment variables: the fallback for laptops, and for deployments without a mount. The environment of a process
 * does not change when a secret rotates. A file that `DATABASE_PASSWORD_FILE` names does, and is followed. `report()` shows which
 * secrets this source serves. An empty variable counts as not set (Compose writes one for `${UNSET:-}`).
 *
 * Variables are never listed: without declared secrets, a store finds a variable when its name is read (`database-password`
 * is `DATABASE_PASSWORD`). Variables of the system, such as `PATH` and the service links of Kubernetes, are found only for
 * declared secrets, and then reported as `VARIABLE_OF_SYSTEM`.
 *
 * Throws `OPTION_UNKNOWN`, `OPTION_INVALID`. Errors of files: `FILE_UNREADABLE`, `FILE_TOO_LARGE`, `FILE_OUTSIDE_MOUNT`,
 * `MOUNT_MISSING`, `MOUNT_UNREADABLE`.
 */
export function environment(variables: Variables = process.env, options: EnvironmentOptions = {}): Source {
  const { files: readsFiles, pollIntervalMs } = readOptions('environment', options, {
    files: flag(true),
    pollIntervalMs: ms(30_000, { least: 10 }),
  });
  const files = new VariableFiles(pollIntervalMs);
  const isOfProcess = variables === process.env;

  /** The variable or file for a lookup; `undefined` if none of its variables is set. */
  const placeOf = (picture: Variables, lookup: Lookup): string | VariableFile | undefined => {
    for (const name of lookup.env) {
      if ((picture[name] ?? '') !== '') return name;
      const variable = `${name}_FILE`;
      const path = picture[variable];
      if (readsFiles && path && !FILE_OF_TOOL.test(variable)) return { lookup, variable, path };
    }
    return undefined;
  };

  async function read(request: ReadRequest) {
    const { lookups, list } = request;
    // Copy once per read: names that are read later must come from the same picture.
    const picture = list ? { ...variables } : variables;
    const readings = new Map<string, Reading>();
    const wanted: VariableFile[] = [];
    for (const lookup of lookups) {
      const place = placeOf(picture, lookup);
      if (typeof place === 'object') wanted.push(place);
      else readings.set(lookup.name, readingOf(picture, lookup, place, isOfProcess));
    }
    if (wanted.length > 0) {
      for (const [name, reading] of await files.read(wanted, request)) readings.set(name, reading);
    }
    const result = { unchanged: false, readings, revision: undefined };
    if (!list) return result;
    const lookUp = (lookup: Lookup): Reading => {
      const env = lookup.env.filter(
        (name) => !SYSTEM.test(name) && !isServiceLink(name, picture[name] ?? ''),
      );
      const place = placeOf(picture, { ...lookup, env });
      if (typeof place === 'object') return files.readNow(place);
      return readingOf(picture, { ...lookup, env }, place, isOfProcess);
    };
    return { ...result, lookUp };
  }

  const namesFiles = readsFiles && Object.keys(variables).some((name) => name.endsWith('_FILE'));
  return {
    name: 'environment',
    location: '',
    read,
    inventory: async () => Object.keys(variables),
    // Without files, nothing changes.
    ...(namesFiles && { watch: (listener) => files.watch(listener) }),
  };
}

function readingOf(
  variables: Variables,
  { name, env }: Lookup,
  variable: string | undefined,
  isOfProcess: boolean,
): Reading {
  if (variable === undefined) {
    const tried = env.map((one) => (variables[one] === '' ? `${one} (set, but empty)` : one));
    return { status: 'missing', looked: tried.join(', ') || 'no variable' };
  }
  const value = variables[variable] as string;
  const problem = foreignVariable(name, variable, value);
  return {
    status: 'found',
    bytes: bytesOf(variable, value, isOfProcess),
    origin: variable,
    ...(problem !== undefined && { problems: [problem] }),
  };
}

function isServiceLink(variable: string, value: string): boolean {
  return /_PORT(_|$)/.test(variable) && SERVICE_LINK.test(value);
}

/** Warns if the system or Kubernetes sets the variable, and only a derived name led to it. A listed name is deliberate. */
function foreignVariable(name: string, variable: string, value: string): SecretsError | undefined {
  const isLink = isServiceLink(variable, value);
  const isOfSystem =
    SYSTEM.test(variable) && !NAMES_A_SECRET.test(variable) && variable === environmentName(name);
  if (!isLink && !isOfSystem) return undefined;
  const what = isLink
    ? `the variable ${variable} of "${name}" is the address of a service, which Kubernetes sets`
    : `the variable ${variable} of "${name}" belongs to the system`;
  return new SecretsError('VARIABLE_OF_SYSTEM', what, {
    secret: name,
    source: 'environment',
    next: isLink
      ? 'Set enableServiceLinks: false in the pod, or give the definition another variable with `env`.'
      : 'Give the definition another variable with `env`. If this one is meant, give the secret another alias and list it in `env`.',
  });
}

/** The bytes of a variable. Node replaces what is not UTF-8, so the process is asked for the bytes that it was started with. */
function bytesOf(variable: string, value: string, isOfProcess: boolean): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  if (!isOfProcess || !value.includes('\ufffd')) return bytes;
  try {
    const started = Buffer.concat([Buffer.of(0), readFileSync('/proc/self/environ')]);
    const name = Buffer.from(`\0${variable}=`);
    const at = started.indexOf(name);
    const from = at + name.length;
    const end = started.indexOf(0, from);
    const original = new Uint8Array(started.subarray(from, end < 0 ? started.length : end));
    started.fill(0);
    return at >= 0 && Buffer.from(original).toString() === value ? original : bytes;
  } catch {
    return bytes;
  }
}
