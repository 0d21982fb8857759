import type * as Nest from '@nestjs/common';
import { peer } from '../../internal/peer';

type Decorators = Pick<typeof Nest, 'Inject' | 'Module' | 'Scope' | 'createParamDecorator'>;

/**
 * What decorators need while a module loads. Node gets it from here, as `#nestjs-common` in package.json says, so that a
 * missing package is `PEER_MISSING`. Bundlers, which set a condition that Node does not (`module`; ncc: `production`), get
 * `@nestjs/common` itself: they cannot see into this loader.
 */
export const { Inject, Module, Scope, createParamDecorator } = peer<Decorators>('@nestjs/common', [
  'Inject',
  'Module',
  'Scope',
  'createParamDecorator',
]);
