import type { SecretsError } from '../errors';

interface Problem {
  readonly error: SecretsError;
  /** Equal causes are reported once. */
  readonly cause: string;
  /** Errors that this one followed without a recovery between them. They end with it. */
  readonly earlier: readonly SecretsError[];
}

const MAX_EARLIER = 100;

/** Called when a problem starts and when it ends. */
export interface ProblemListener {
  started(error: SecretsError): void;
  solved(error: SecretsError): void;
}

/** The current problems of secrets or sources. A subject may have several problems, distinguished by `about`. */
export class Problems<Subject> {
  readonly #active = new Map<Subject, Map<string, Problem>>();
  readonly #listener: ProblemListener;

  constructor(listener: ProblemListener) {
    this.#listener = listener;
  }

  set(subject: Subject, about: string, error: SecretsError, detail = ''): void {
    const cause = `${error.code} ${detail}`;
    const ofSubject = this.#active.get(subject) ?? new Map<string, Problem>();
    const before = ofSubject.get(about);
    if (before?.cause === cause) return;
    const earlier = before === undefined ? [] : [...before.earlier, before.error].slice(-MAX_EARLIER);
    this.#active.set(subject, ofSubject.set(about, { error, cause, earlier }));
    this.#listener.started(error);
  }

  clear(subject: Subject, about: string): void {
    const ofSubject = this.#active.get(subject);
    const problem = ofSubject?.get(about);
    if (ofSubject === undefined || problem === undefined) return;
    ofSubject.delete(about);
    if (ofSubject.size === 0) this.#active.delete(subject);
    for (const error of [...problem.earlier, problem.error]) this.#listener.solved(error);
  }

  get(subject: Subject, about: string): SecretsError | undefined {
    return this.#active.get(subject)?.get(about)?.error;
  }

  /** All problems of a subject. */
  of(subject: Subject): SecretsError[] {
    return [...(this.#active.get(subject)?.values() ?? [])].map(({ error }) => error);
  }
}
