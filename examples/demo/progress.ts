/** Where the demo tells what it does: one line that changes on a terminal, plain lines elsewhere. */
export interface Progress {
  /** What is going on; on a terminal it replaces the last one. Elsewhere it is left out. */
  status(text: string): void;
  /** A line that stays. */
  line(text: string): void;
}

const CLEAR_LINE = '\r\u001b[2K';

export function startProgress(stream: NodeJS.WriteStream): Progress {
  const clear = stream.isTTY ? CLEAR_LINE : '';
  return {
    status(text) {
      if (stream.isTTY) stream.write(clear + text.slice(0, Math.max(20, (stream.columns || 80) - 1)));
    },
    line(text) {
      stream.write(`${clear}${text}\n`);
    },
  };
}
