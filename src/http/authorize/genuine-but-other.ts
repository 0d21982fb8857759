import { SecretsError } from '../../errors';

const OPTIONS = { aud: 'audience', iss: 'issuer', azp: 'appIds', appid: 'appIds' } as const;

/**
 * For a token that is signed with the right key and was refused for what it says: mostly an option is wrong then, and
 * without a word of it every event would be dropped. What the claim says is no secret, but it comes from outside.
 */
export function genuineButOther(where: string, claim: keyof typeof OPTIONS, value: unknown): SecretsError {
  const [first] = [value].flat();
  const printable = typeof first === 'string' && /^[\w:/.-]{1,200}$/.test(first);
  const says = printable ? `says "${first}"` : 'cannot be printed, or is missing';
  const what = `${where} refused a genuine token: its claim "${claim}" ${says}`;
  return new SecretsError('OPTION_INVALID', what, {
    next: `If the token is from your Event Grid subscription, correct ${OPTIONS[claim]}.`,
  });
}
