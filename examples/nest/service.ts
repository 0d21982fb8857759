import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Get, Inject, Injectable, Module } from '@nestjs/common';
import { SecretStore, type Snapshot, secret, type ValuesOf } from 'hot-secrets';
import { basicAuth } from 'hot-secrets/http';
import { InjectSecret, RequestSecrets, type SecretHandle, SecretsModule } from 'hot-secrets/nestjs';

const definitions = {
  apiUser: 'api-user',
  apiPassword: 'api-password',
  signingKey: secret.text('signing-key', { keepPreviousMs: 60_000 }),
  opsPassword: 'ops-password',
};
type Values = ValuesOf<typeof definitions>;

/** A singleton. It holds a handle, which always returns the current value, and never the value itself. */
@Injectable()
export class Signer {
  constructor(@InjectSecret('signingKey') private readonly key: SecretHandle) {}

  sign(text: string): string {
    return createHmac('sha256', this.key.reveal()).update(text).digest('base64url');
  }
}

@Controller('payments')
export class PaymentsController {
  // Explicit, because tsx emits no decorator metadata.
  constructor(@Inject(Signer) private readonly signer: Signer) {}

  /** Reads a pair with a pause. Both values are from one generation, even if a rotation happens during the pause. */
  @Get()
  async pay(@RequestSecrets() secrets: Snapshot<Values>) {
    const user = secrets.reveal('apiUser');
    await sleep(5);
    const isPair = secrets.reveal('apiPassword') === `password-of-${user}`;
    return { isPair, generation: secrets.generation, signature: this.signer.sign('payment') };
  }
}

@Module({
  imports: [
    SecretsModule.forRootAsync({
      // The endpoints need one of the secrets, so the store opens here. Without endpoints, forRoot({ secrets }) is enough.
      useFactory: async () => {
        const store = await SecretStore.open({ secrets: definitions });
        store.on('error', ({ code, message }) => console.log(`${code}: ${message}`));
        return {
          store,
          endpoints: { authorize: basicAuth(store, 'opsPassword') },
          onRotate: ({ generation, changes }) => {
            console.log(
              `onRotate: generation ${generation} changed ${changes.map(({ name }) => name).join(', ')}`,
            );
          },
        };
      },
    }),
  ],
  controllers: [PaymentsController],
  providers: [Signer],
})
export class AppModule {}
