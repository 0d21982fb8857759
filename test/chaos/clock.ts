// Replaces the clock of this process by one that can jump. Imported before the package, which holds the clock that it finds.
const RealDate = Date;
let offsetMs = 0;

class JumpingDate extends RealDate {
  constructor(...given: []) {
    if (given.length === 0) super(JumpingDate.now());
    else super(...given);
  }

  static override now(): number {
    return RealDate.now() + offsetMs;
  }
}
globalThis.Date = JumpingDate as DateConstructor;

/** Sets the clock of this process to the real time and this offset. */
export function setClock(ms: number): void {
  offsetMs = ms;
}
