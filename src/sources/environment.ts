import type { Lookup } from '../secret/lookup';
import type { Reading, Source } from './source';

type Variables = Readonly<NodeJS.ProcessEnv>;

/** What the system, the shell, Node, npm and Kubernetes set. None of it is a secret, whatever its name. */
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
 * Environment variables: the fallback of laptops and of deployments that have no mount yet. A process's environment
 * does not change when a secret rotates, so this source has no watch; `report()` shows which secrets it serves.
 * A variable that is set to the empty string counts as not set (Compose writes one for `${UNSET:-}`).
 *
 * A store without declared secrets finds a variable by the name that is asked for (`database-password`:
 * `DATABASE_PASSWORD`) and lists none. What the system sets, such as `PATH` and the service links of Kubernetes, it finds
 * for declared secrets alone.
 */
export function environment(variables: Variables = process.env): Source {
  return {
    name: 'environment',
    location: '',
    async read({ lookups, list }) {
      // One copy for the whole read: the variables of a name that is asked for later belong to these.
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
