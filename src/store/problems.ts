import type { SecretsError } from '../errors';

interface Problem {
  readonly error: SecretsError;
  /** Equal causes are said once. */
  readonly cause: string;
}

/** What is wrong now, by subject (a secret, a source, a watch). Tells when something starts and when it is over. */
export class Problems {
  readonly #active = new Map<string, Problem>();
  readonly #started: (error: SecretsError) => void;
  readonly #solved: (error: SecretsError) => void;

  constructor(started: (error: SecretsError) => void, solved: (error: SecretsError) => void) {
    this.#started = started;
    this.#solved = solved;
  }

  set(subject: string, error: SecretsError, detail = ''): void {
    const cause = `${error.code} ${detail}`;
    if (this.#active.get(subject)?.cause === cause) return;
    this.#active.set(subject, { error, cause });
    this.#started(error);
  }

  clear(subject: string): void {
    const problem = this.#active.get(subject);
    if (problem === undefined) return;
    this.#active.delete(subject);
    this.#solved(problem.error);
  }

  get(subject: string): SecretsError | undefined {
    return this.#active.get(subject)?.error;
  }

  startingWith(prefix: string): SecretsError[] {
    const found = [...this.#active].filter(([subject]) => subject.startsWith(prefix));
    return found.map(([, problem]) => problem.error);
  }
}

export const subjectOfSecret = (name: string): string => `secret ${name}`;
/** Beside the one problem of a secret: what is wrong with a value that serves all the same. */
export const subjectOfWarning = (name: string, code = ''): string => `warning ${name}\0${code}`;
export const subjectOfSource = (index: number, what: string): string => `source ${index} ${what}`;
