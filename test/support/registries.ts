/** Every driver's option table as registries, without the drivers, for tests of reading. */
import { appendfileOptions } from '../../src/flow/delivery/transports/appendfile.options.ts'
import { autoreplyOptions } from '../../src/flow/delivery/transports/autoreply.options.ts'
import { lmtpOptions } from '../../src/flow/delivery/transports/lmtp.options.ts'
import { pipeOptions } from '../../src/flow/delivery/transports/pipe.options.ts'
import { queuefileOptions } from '../../src/flow/delivery/transports/queuefile.options.ts'
import { smtpOptions } from '../../src/flow/delivery/transports/smtp.options.ts'
import { dnslookupOptions } from '../../src/flow/routing/routers/dnslookup.options.ts'
import { iplookupOptions } from '../../src/flow/routing/routers/iplookup.options.ts'
import { manualrouteOptions } from '../../src/flow/routing/routers/manualroute.options.ts'
import { queryprogramOptions } from '../../src/flow/routing/routers/queryprogram.options.ts'
import { redirectOptions } from '../../src/flow/routing/routers/redirect.options.ts'
import type { Registries } from '../../src/language/config/registries.ts'
import { logSelectors } from '../../src/mail/log-selectors.ts'
import { cramMd5Options } from '../../src/policy/authenticators/cram_md5.options.ts'
import { cyrusSaslOptions } from '../../src/policy/authenticators/cyrus_sasl.options.ts'
import { dovecotOptions } from '../../src/policy/authenticators/dovecot.options.ts'
import { externalOptions } from '../../src/policy/authenticators/external.options.ts'
import { gsaslOptions } from '../../src/policy/authenticators/gsasl.options.ts'
import { heimdalGssapiOptions } from '../../src/policy/authenticators/heimdal_gssapi.options.ts'
import { plaintextOptions } from '../../src/policy/authenticators/plaintext.options.ts'
import { spaOptions } from '../../src/policy/authenticators/spa.options.ts'
import { tlsOptions } from '../../src/policy/authenticators/tls.options.ts'

export const tableRegistries: Registries = {
  routers: {
    accept: { options: {}, needsTransport: true },
    dnslookup: { options: dnslookupOptions, needsTransport: true },
    ipliteral: { options: {}, needsTransport: true },
    iplookup: { options: iplookupOptions },
    manualroute: { options: manualrouteOptions },
    queryprogram: { options: queryprogramOptions },
    redirect: { options: redirectOptions },
  },
  transports: {
    appendfile: { options: appendfileOptions },
    autoreply: { options: autoreplyOptions },
    lmtp: { options: lmtpOptions },
    pipe: { options: pipeOptions },
    queuefile: { options: queuefileOptions },
    smtp: { options: smtpOptions },
  },
  authenticators: {
    cram_md5: { options: cramMd5Options },
    cyrus_sasl: { options: cyrusSaslOptions },
    dovecot: { options: dovecotOptions },
    external: { options: externalOptions },
    gsasl: { options: gsaslOptions },
    heimdal_gssapi: { options: heimdalGssapiOptions },
    plaintext: { options: plaintextOptions },
    spa: { options: spaOptions },
    tls: { options: tlsOptions },
  },
  names: {
    have: ['TLS', 'OCSP', 'DKIM', 'DMARC', 'SPF', 'DNSSEC', 'EVENT', 'PRDR', 'PROXY', 'IPV6', 'DANE'],
    lookups: ['lsearch', 'dnsdb', 'redis'],
    logSelectors: Object.keys(logSelectors),
    texts: {
      _DKIM_SIGN_HEADERS: 'From:Sender:Reply-To:Subject:Date:Message-ID:To:Cc:MIME-Version:Content-Type',
    },
  },
}
