import { Controller, Get, Inject } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { SecretStore } from 'hot-secrets';
import { healthIndicator } from 'hot-secrets/http';
import { InjectSecrets, SecretsModule } from 'hot-secrets/nestjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ask, askUntil } from '../support/ask';
import { fragileMemory } from '../support/failing-source';
import { platforms, startNest } from '../support/nest-stage';

@Controller()
class HealthController {
  constructor(
    @Inject(HealthCheckService) readonly health: HealthCheckService,
    @InjectSecrets() readonly secrets: SecretStore,
  ) {}

  @Get('health')
  check() {
    return this.health.check([
      healthIndicator(this.secrets, 'secrets', { stale: 'fail' }),
      healthIndicator(this.secrets, 'patient'),
    ]);
  }
}

describe.each(platforms)('healthIndicator with @nestjs/terminus on %s', (platform) => {
  it("reports down with stale: 'fail' while the store is stale, and for every check once it is closed", async () => {
    const source = fragileMemory({ 'shop-user': 'leak-marker-user' });
    const store = await SecretStore.open({ sources: [source] });
    onTestFinished(() => store.close());
    store.on('error', () => {});
    const { url } = await startNest(platform, {
      imports: [TerminusModule.forRoot({ logger: false }), SecretsModule.forRoot({ store })],
      controllers: [HealthController],
    });
    for (let round = 0; round < 3; round += 1) {
      const up = { status: 'up', store: 'ok', generation: 1 };
      const healthy = await askUntil(`${url}/health`, ({ status }) => status === 200);
      const info = { secrets: up, patient: up };
      expect(healthy.body).toEqual({ status: 'ok', info, error: {}, details: info });
      source.mood = 'failing';
      const failed = await askUntil(`${url}/health`, ({ status }) => status === 503);
      expect(failed.body).toMatchObject({
        status: 'error',
        info: { patient: { status: 'up', store: 'stale' } },
        error: { secrets: { status: 'down', code: 'STORE_STALE' } },
      });
      expect(JSON.stringify(failed)).not.toMatch(/leak-marker|shop-user/);
      source.mood = 'ok';
    }
    await store.close();
    expect(await ask(`${url}/health`)).toMatchObject({
      status: 503,
      body: {
        error: { secrets: { status: 'down', code: 'STORE_CLOSED' }, patient: { code: 'STORE_CLOSED' } },
      },
    });
  });
});
