import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

/** The path of the repository. */
export const repository = resolve(import.meta.dirname, '../../..');

export const fromRepository = (...path: string[]): string => resolve(repository, ...path);

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, without the environment variables that npm and vitest set. */
export function run(
  command: string,
  args: readonly string[],
  { cwd = repository, env = {} }: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Finished> {
  const clean = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(?!config_)|VITEST|NODE_OPTIONS$)/.test(name),
  );
  const child = spawn(command, args, {
    cwd,
    env: { ...Object.fromEntries(clean), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (status) => done({ status, stdout, stderr }));
  });
}

/** Like `run`, but throws an error with the output unless the program succeeds. */
export async function succeed(...args: Parameters<typeof run>): Promise<string> {
  const { status, stdout, stderr } = await run(...args);
  if (status === 0) return stdout;
  const command = [args[0], ...args[1]].join(' ');
  throw new Error(`${command} ended with status ${status}\n${stdout.slice(-4000)}\n${stderr.slice(-4000)}`);
}
