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

/** Lives as long as the process: it keeps a handle, which is always current, and no value. */
@Injectable()
export class Signer {
  constructor(@InjectSecret('signingKey') private readonly key: SecretHandle) {}

  sign(text: string): string {
    return createHmac('sha256', this.key.reveal()).update(text).digest('base64url');
  }
}

@Controller('payments')
export class PaymentsController {
  // Explicit, since what runs this example writes no metadata of types.
  constructor(@Inject(Signer) private readonly signer: Signer) {}

  /** Reads a pair with a pause in between: whatever rotates meanwhile, both are of one generation. */
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
      // Opened here, since the endpoints ask for one of its secrets. Without them, forRoot({ secrets }) is enough.
      useFactory: async () => {
        const store = await SecretStore.open({ secrets: definitions });
        store.on('error', ({ code, message }) => console.log(`${code}: ${message}`));
        return {
          store,
          endpoints: { authorize: basicAuth(store, 'opsPassword') },
          onRotate: ({ generation, changes }) => {
            console.log(
              `onRotate: generation ${generation} brought ${changes.map(({ name }) => name).join(', ')}`,
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
