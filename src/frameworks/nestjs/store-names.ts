import { Module } from '@nestjs/common';
import { SecretsError } from '../../errors';
import { WHERE } from './options';

/** The names that stores have in one application. */
export class StoreNames {
  private readonly taken = new Set<string>();

  /** @throws `OPTION_INVALID` for a name that another module has. */
  claim(as: string): void {
    if (this.taken.has(as)) {
      throw new SecretsError('OPTION_INVALID', `${WHERE} was imported twice as "${as}"`, {
        next: "Import it once, it is global; give a second store a name of its own: { as: 'billing' }.",
      });
    }
    this.taken.add(as);
  }
}

/** A module without options is one for the whole application, however many modules import it. */
@Module({ providers: [StoreNames], exports: [StoreNames] })
export class StoreNamesModule {}
