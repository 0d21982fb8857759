import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./framework-apps-child.mjs', import.meta.url));

export type Framework = 'express' | 'fastify';

/**
 * What an application installs: the one line that adds secrets, or nothing; in Express also `secretsMiddleware`, which is
 * the line for routers, or a middleware that does nothing.
 */
export type Variant = 'with' | 'without' | 'middleware' | 'idle';

/** One application on two ports. `/secret` reads a secret, or a constant in the variant without; `/nothing` reads none. */
export interface FrameworkApps extends AsyncDisposable {
  readonly pid: number;
  /** The port of the application without secrets. */
  readonly without: number;
  readonly other: number;
}

/** Starts a process with an application without secrets, and the same application in the variant `other`. */
export async function startFrameworkApps(framework: Framework, other: Variant): Promise<FrameworkApps> {
  const child = fork(CHILD, [framework, other], { execArgv: [] });
  const exited = once(child, 'exit');
  const ended = exited.then((): never => {
    throw new Error('The process that runs the applications ended.');
  });
  ended.catch(() => {});
  const started = once(child, 'message') as Promise<[Pick<FrameworkApps, 'without' | 'other'>]>;
  const [ports] = await Promise.race([started, ended]);
  return {
    ...ports,
    pid: child.pid as number,
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
