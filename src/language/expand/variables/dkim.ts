/**
 * The DKIM signature at work in a run of the DKIM ACL; afterwards that of the last run.
 * Source: Exim manual, "Verifying DKIM signatures in incoming mail".
 */
import { taint } from '../../../base/text.ts'
import { type DkimRun, type DkimSignature, dkimOf, dkimSigners } from '../../../mail/dkim-facts.ts'
import type { Context } from '../../../ports.ts'
import type { VariableRow, VariableValue } from '../rows.ts'
import { outside, trusted } from './kinds.ts'

/** What numbers are when the signature does not say: larger than any that it could. */
const unlimited = 9_999_999_999_999

function runOf({ message }: Context): DkimRun | undefined {
  return dkimOf(message)?.run
}

function ofSignature(
  name: string,
  doc: string,
  get: (signature: DkimSignature) => VariableValue,
  otherwise: VariableValue = '',
): VariableRow {
  return outside(`dkim_${name}`, doc, ({ context }) => {
    const signature = runOf(context)?.signature
    return signature === undefined ? otherwise : get(signature)
  })
}

/** In a transport what the message is about to be signed with, as trusted as the option it comes from. */
function orSigning(
  name: 'domain' | 'selector',
  doc: string,
  get: (signature: DkimSignature) => string,
): VariableRow {
  return trusted(`dkim_${name}`, doc, ({ context }) => {
    const signing = context.bound?.get(`dkim_${name}`)
    if (signing !== undefined) return signing
    const signature = runOf(context)?.signature
    return signature === undefined ? '' : taint(get(signature), `$dkim_${name}`)
  })
}

export const dkimVariables: readonly VariableRow[] = [
  ofSignature('algo', 'Algorithm of the DKIM signature: rsa-sha256.', ({ algorithm }) => algorithm),
  ofSignature(
    'bodylength',
    'How many bytes of the body are signed; 9999999999999: all.',
    ({ bodyLength }) => (bodyLength < 0 ? unlimited : bodyLength),
    unlimited,
  ),
  ofSignature('canon_body', 'How the body was made canonical.', ({ canonBody }) => canonBody),
  ofSignature('canon_headers', 'How the headers were made canonical.', ({ canonHeaders }) => canonHeaders),
  ofSignature(
    'copiedheaders',
    'Headers copied into the signature (z=).',
    ({ copiedHeaders }) => copiedHeaders,
  ),
  ofSignature('created', 'When the signature was made; 0: not told.', ({ created }) => created, 0),
  outside('dkim_cur_signer', 'The signer the DKIM ACL runs for.', ({ context }) => runOf(context)?.signer),
  orSigning(
    'domain',
    'The domain that signed (d=), or is about to sign.',
    ({ writtenDomain }) => writtenDomain,
  ),
  ofSignature(
    'expires',
    'When the signature expires; 9999999999999: never.',
    ({ expires }) => (expires === 0 ? unlimited : expires),
    unlimited,
  ),
  ofSignature('headernames', 'Names of the signed headers.', ({ headerNames }) => headerNames),
  ofSignature('identity', 'Who signed (i=), when told.', ({ identity }) => identity),
  ofSignature('key_granularity', 'g= of the key record.', ({ key }) => key?.granularity ?? '*', '*'),
  ofSignature('key_length', 'Bits of the key; 0: it was not fetched.', ({ key }) => key?.bits ?? 0, 0),
  ofSignature(
    'key_nosubdomains',
    '1 when the key is for the very domain only.',
    ({ key }) => (key?.noSubdomains === true ? 1 : 0),
    0,
  ),
  ofSignature('key_notes', 'n= of the key record.', ({ key }) => key?.notes),
  ofSignature('key_srvtype', 's= of the key record.', ({ key }) => key?.serviceType ?? '*', '*'),
  ofSignature(
    'key_testing',
    '1 when the signer is only testing DKIM.',
    ({ key }) => (key?.testing === true ? 1 : 0),
    0,
  ),
  outside(
    'dkim_verify_signers',
    'Signers for which the DKIM ACL runs: the option of this name, as it is written.',
    ({ context }) => context.settings.dkim_verify_signers?.text,
  ),
  orSigning('selector', 'The selector of the key (s=).', ({ selector }) => selector),
  outside('dkim_signers', 'All domains and identities that signed the message.', ({ context }) => {
    const facts = dkimOf(context.message)
    return facts === undefined ? '' : dkimSigners(facts).join(':')
  }),
  outside(
    'dkim_verify_reason',
    'Why the signature is no pass: bodyhash_mismatch and so on.',
    ({ context }) => runOf(context)?.reason,
  ),
  outside(
    'dkim_verify_status',
    'none, invalid, fail or pass; after the DKIM ACL the results of all its runs, separated by colons.',
    ({ context }) => {
      const facts = dkimOf(context.message)
      return facts?.running === true ? facts.run?.status : facts?.statuses.join(':')
    },
  ),
]
