/** All ACL conditions, sorted. */
import type { ConditionRow } from '../row.ts'
import { acl } from './acl.ts'
import { authenticated } from './authenticated.ts'
import { condition } from './condition.ts'
import { decode } from './decode.ts'
import { dkimSigners } from './dkim_signers.ts'
import { dkimStatus } from './dkim_status.ts'
import { dmarcStatus } from './dmarc_status.ts'
import { dnslists } from './dnslists.ts'
import { domains } from './domains.ts'
import { encrypted } from './encrypted.ts'
import { hosts } from './hosts.ts'
import { localParts } from './local_parts.ts'
import { malware } from './malware.ts'
import { mimeRegex } from './mime_regex.ts'
import { missingConditions } from './missing.ts'
import { ratelimit } from './ratelimit.ts'
import { recipients } from './recipients.ts'
import { regex } from './regex.ts'
import { seen } from './seen.ts'
import { senderDomains } from './sender_domains.ts'
import { senders } from './senders.ts'
import { spam } from './spam.ts'
import { spf, spfGuess } from './spf.ts'
import { verify } from './verify.ts'

export const conditions: readonly ConditionRow[] = [
  acl,
  authenticated,
  condition,
  decode,
  dkimSigners,
  dkimStatus,
  dmarcStatus,
  dnslists,
  domains,
  encrypted,
  hosts,
  localParts,
  malware,
  mimeRegex,
  ratelimit,
  recipients,
  regex,
  seen,
  senderDomains,
  senders,
  spam,
  spf,
  spfGuess,
  verify,
  ...missingConditions,
]
