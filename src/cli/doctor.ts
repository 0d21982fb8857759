import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { type Diagnosis, diagnose, withFindings } from '../doctor/diagnose';
import { diagnoseManifests } from '../doctor/diagnose-manifests';
import { type Finding, finding, findingOf } from '../doctor/findings';
import type { DiagnoseOptions } from '../doctor/options';
import { renderJson } from '../doctor/render/json';
import { renderSarif } from '../doctor/render/sarif';
import { renderText } from '../doctor/render/text';
import { type Output, status, UsageError } from './output';
import { loadService, type Service } from './service';

/** `hot-secrets doctor`. Resolves with the status of the process. */
export async function doctor(args: string[], output: Output): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      mount: { type: 'string', multiple: true },
      store: { type: 'string' },
      vault: { type: 'string' },
      'expect-rotation': { type: 'string' },
      'fail-on': { type: 'string', default: 'warning' },
      'no-live-test': { type: 'boolean' },
      json: { type: 'boolean' },
      sarif: { type: 'boolean' },
    },
  });
  const { mount, store, vault, json, sarif, 'fail-on': failOn } = values;
  if (failOn !== 'warning' && failOn !== 'error') {
    throw new UsageError('--fail-on must be error or warning');
  }
  if (json && sarif) throw new UsageError('--json and --sarif exclude each other');
  const form = json ? 'json' : sarif ? 'sarif' : 'text';
  if (positionals.length > 0) {
    const others = ['mount', 'store', 'vault', 'expect-rotation'] as const;
    const other = others.find((name) => values[name] !== undefined);
    if (other !== undefined) throw new UsageError(`--${other} is for a running pod, not for manifests`);
    const diagnosis = await diagnoseManifests(await Promise.all(positionals.map(manifestsAt)));
    output.write(rendered(diagnosis, form, output));
    return statusOf(diagnosis, failOn);
  }
  const service = store === undefined ? undefined : await loadService(store);
  const options: DiagnoseOptions = {
    mounts: mount,
    keyVault: vault === undefined ? undefined : { vaultUrl: addressOf(vault) },
    expectedRotationDays: daysOf(values['expect-rotation']),
    liveTest: values['no-live-test'] !== true,
    ...optionsOf(service),
  };
  const found = service === undefined || store === undefined ? [] : problemsOf(service, store);
  const diagnosis = withFindings(await diagnose(options), found);
  if (service !== undefined && 'store' in service) await service.store.close();
  output.write(rendered(diagnosis, form, output));
  return statusOf(diagnosis, failOn);
}

/** A path, or what another program renders into this one. */
async function manifestsAt(path: string): Promise<string | { name: string; text: string }> {
  return path === '-' ? { name: 'stdin', text: await text(process.stdin) } : path;
}

function rendered(diagnosis: Diagnosis, form: 'json' | 'sarif' | 'text', { colors }: Output): string {
  if (form === 'json') return renderJson(diagnosis);
  return form === 'sarif' ? renderSarif(diagnosis) : renderText(diagnosis, { colors });
}

function statusOf({ level }: Diagnosis, failOn: 'error' | 'warning'): number {
  if (level === 'error') return status.failed;
  return level === 'warning' && failOn === 'warning' ? status.attention : status.ok;
}

function optionsOf(service: Service | undefined): DiagnoseOptions {
  if (service === undefined) return {};
  if ('store' in service) return { store: service.store };
  if (!('options' in service)) return {};
  const { secrets, sources } = service.options;
  return { ...(secrets && { secrets }), ...(sources && { sources }) };
}

function problemsOf(service: Service, path: string): Finding[] {
  if ('failure' in service) return [findingOf(service.failure, { place: path })];
  if (!('invalid' in service)) return [];
  return [
    finding('STORE_MODULE_INVALID', { path, reason: service.invalid, next: service.next }, { place: path }),
  ];
}

function addressOf(vault: string): string {
  if (/^[\w-]{3,24}$/.test(vault)) return `https://${vault}.vault.azure.net`;
  if (URL.canParse(vault) && new URL(vault).protocol === 'https:') return vault;
  throw new UsageError('--vault must be the name of a vault, or its https address');
}

function daysOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const days = Number(text);
  if (text.trim() !== '' && days >= 0 && Number.isFinite(days)) return days;
  throw new UsageError('--expect-rotation must be a number of days');
}
