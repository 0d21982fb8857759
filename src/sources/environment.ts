import type { Lookup } from '../secret/lookup';
import type { Reading, Source } from './source';

type Variables = Readonly<NodeJS.ProcessEnv>;

/** Variables of the system, the shell, Node, npm and Kubernetes. They are never secrets. */
const SYSTEM = new RegExp(
  `^(${[
    'PATH|HOME|USER|USERNAME|LOGNAME|SHELL|PWD|OLDPWD|SHLVL|TERM|TMPDIR|TEMP|TMP|TZ|LANG|LANGUAGE|MAIL|EDITOR|PAGER',
    'HOST|HOSTNAME|DISPLAY|PORT|_',
    'LC_.+|XDG_.+|NODE_.+|npm_.+|NPM_.+|KUBERNETES_.+',
    // Service links: https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
    '.+_SERVICE_HOST|.+_SERVICE_PORT(_.+)?|.+_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?',
  ].join('|')})$`,
);

/**
 * Reads environment variables: the fallback for laptops, and for deployments without a mount. The environment of a process
 * does not change when a secret rotates, so this source has no watch. `report()` shows which secrets it serves. An empty
 * variable counts as not set (Compose writes one for `${UNSET:-}`).
 *
 * Variables are never listed: without declared secrets, a store finds a variable when its name is read (`database-password`
 * is `DATABASE_PASSWORD`). Variables of the system, such as `PATH` and the service links of Kubernetes, are found only for
 * declared secrets.
 */
export function environment(variables: Variables = process.env): Source {
  return {
    name: 'environment',
    location: '',
    async read({ lookups, list }) {
      // Copy once per read: names that are read later must come from the same picture.
      const picture = list ? { ...variables } : variables;
      const readings = new Map(lookups.map((lookup) => [lookup.name, readingOf(picture, lookup)]));
      if (!list) return { unchanged: false, readings, revision: undefined };
      const lookUp = (lookup: Lookup) =>
        readingOf(picture, { ...lookup, env: lookup.env.filter((name) => !SYSTEM.test(name)) });
      return { unchanged: false, readings, revision: undefined, lookUp };
    },
    inventory: async () => Object.keys(variables),
  };
}

function readingOf(variables: Variables, { env }: Lookup): Reading {
  const variable = env.find((name) => (variables[name] ?? '') !== '');
  if (variable === undefined) return { status: 'missing', looked: env.join(', ') || 'no variable' };
  return { status: 'found', bytes: new TextEncoder().encode(variables[variable]), origin: variable };
}
