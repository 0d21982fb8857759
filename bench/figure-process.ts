import { type FigureName, figures } from './figures';
import { type FigureOptions, roundedAll } from './support/result';

// Runs one figure in its own process, so that its heap and compiled code do not affect the others.
const [name, size, scratch] = process.argv.slice(2) as [FigureName, FigureOptions['size'], string];
// A store does not keep the process alive; this timer does.
const alive = setInterval(() => {}, 1_000_000);
const figure = await figures[name]();
const { checks, details } = await figure({ size, scratch });
process.send?.({ checks, details: roundedAll(details) });
clearInterval(alive);
process.disconnect?.();
