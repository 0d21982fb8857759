import { type FigureName, figures } from './figures';
import { type FigureOptions, roundedAll } from './support/result';

// One figure in a process of its own: what it leaves in the heap and in the compiler is nobody else's.
const [name, size, scratch] = process.argv.slice(2) as [FigureName, FigureOptions['size'], string];
// A store keeps no process alive.
const alive = setInterval(() => {}, 1_000_000);
const figure = await figures[name]();
const { checks, details } = await figure({ size, scratch });
process.send?.({ checks, details: roundedAll(details) });
clearInterval(alive);
process.disconnect?.();
