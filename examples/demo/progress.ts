/** Reports what the demo does: one status line that changes on a terminal, plain lines elsewhere. */
export interface Progress {
  /** Shows the current status. On a terminal it replaces the previous one; elsewhere it is not printed. */
  status(text: string): void;
  /** Prints a line. */
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
