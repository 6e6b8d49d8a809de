/**
 * All drivers as far as reading a configuration needs them: their options, and how each is loaded once it is wanted.
 * Loading all of them took half of the time of a short call (bench: `postern -be`). driver-tables.test.ts compares the
 * rows with the drivers.
 */
import { appendfileOptions } from '../flow/delivery/transports/appendfile.options.ts'
import { autoreplyOptions } from '../flow/delivery/transports/autoreply.options.ts'
import { lmtpOptions } from '../flow/delivery/transports/lmtp.options.ts'
import { pipeOptions } from '../flow/delivery/transports/pipe.options.ts'
import { queuefileOptions } from '../flow/delivery/transports/queuefile.options.ts'
import { smtpOptions } from '../flow/delivery/transports/smtp.options.ts'
import { dnslookupOptions } from '../flow/routing/routers/dnslookup.options.ts'
import { iplookupOptions } from '../flow/routing/routers/iplookup.options.ts'
import { manualrouteOptions } from '../flow/routing/routers/manualroute.options.ts'
import { queryprogramOptions } from '../flow/routing/routers/queryprogram.options.ts'
import { redirectOptions } from '../flow/routing/routers/redirect.options.ts'
import type { DriverRow } from '../language/config/registries.ts'
import { cramMd5Options } from '../policy/authenticators/cram_md5.options.ts'
import { cyrusSaslOptions } from '../policy/authenticators/cyrus_sasl.options.ts'
import { dovecotOptions } from '../policy/authenticators/dovecot.options.ts'
import { externalOptions } from '../policy/authenticators/external.options.ts'
import { gsaslOptions } from '../policy/authenticators/gsasl.options.ts'
import { heimdalGssapiOptions } from '../policy/authenticators/heimdal_gssapi.options.ts'
import { plaintextOptions } from '../policy/authenticators/plaintext.options.ts'
import { spaOptions } from '../policy/authenticators/spa.options.ts'
import { tlsOptions } from '../policy/authenticators/tls.options.ts'

/** Without `works: false` a driver can be loaded. */
export type DriverEntry = Omit<DriverRow, 'check'>

export const routerTable: Readonly<Record<string, DriverEntry>> = {
  accept: { options: {}, needsTransport: true },
  dnslookup: { options: dnslookupOptions, needsTransport: true },
  ipliteral: { options: {}, needsTransport: true },
  iplookup: { options: iplookupOptions, works: false },
  manualroute: { options: manualrouteOptions },
  queryprogram: { options: queryprogramOptions },
  redirect: { options: redirectOptions },
}

export const transportTable: Readonly<Record<string, DriverEntry>> = {
  appendfile: { options: appendfileOptions },
  autoreply: { options: autoreplyOptions },
  lmtp: { options: lmtpOptions },
  pipe: { options: pipeOptions },
  queuefile: { options: queuefileOptions },
  smtp: { options: smtpOptions },
}

export const authenticatorTable: Readonly<Record<string, DriverEntry>> = {
  cram_md5: { options: cramMd5Options },
  cyrus_sasl: { options: cyrusSaslOptions, works: false },
  dovecot: { options: dovecotOptions },
  external: { options: externalOptions },
  gsasl: { options: gsaslOptions },
  heimdal_gssapi: { options: heimdalGssapiOptions, works: false },
  plaintext: { options: plaintextOptions },
  spa: { options: spaOptions, works: false },
  tls: { options: tlsOptions },
}

/** ACL conditions and modifiers that work, for macros such as `_ACL_COND_SPF`. */
export const aclConditionNames: readonly string[] =
  'acl authenticated condition decode dkim_signers dkim_status dmarc_status dnslists domains encrypted hosts local_parts malware mime_regex ratelimit recipients regex seen sender_domains senders spam spf spf_guess verify'.split(
    ' ',
  )
export const aclModifierNames: readonly string[] =
  'add_header continue control delay endpass log_message log_reject_target logwrite message queue remove_header set udpsend'.split(
    ' ',
  )
