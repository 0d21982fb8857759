import { DOM } from './dom';
import { LIVE } from './live';
import { SECRETS } from './secrets';
import { STORE } from './store';
import { THINGS } from './things';
import { TIMELINE } from './timeline';
import { WORDS } from './words';

/**
 * The script of the page, one module in parts. Plain text and no function that is printed: minifiers of whoever bundles this
 * package would change that. A test lints it, and checks its types against the report's.
 */
export const SCRIPT = [DOM, WORDS, SECRETS, THINGS, TIMELINE, STORE, LIVE].join('');
