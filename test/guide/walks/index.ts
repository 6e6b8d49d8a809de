/** The walks, by page. */
import type { Walk } from '../world.ts'
import { behindHaproxy } from './behind-haproxy.ts'
import { certificatesAndOcsp } from './certificates-and-ocsp.ts'
import { check } from './check.ts'
import { checkingMail } from './checking-mail.ts'
import { configuration } from './configuration.ts'
import { dkim } from './dkim.ts'
import { dmarc } from './dmarc.ts'
import { expansions } from './expansions.ts'
import { explain } from './explain.ts'
import { firstMessage } from './first-message.ts'
import { monitoring } from './monitoring.ts'
import { reliability } from './reliability.ts'
import { scanning } from './scanning.ts'
import { security } from './security.ts'
import { spf } from './spf.ts'

import { events } from './events.ts'
import { filters } from './filters.ts'
import { fromExim } from './from-exim.ts'
import { logs } from './logs.ts'
import { queue } from './queue.ts'
import { redisAndSql } from './redis-and-sql.ts'
import { routingAndTransports } from './routing-and-transports.ts'
import { testing } from './testing.ts'
import { tls } from './tls.ts'
import { watching } from './watching.ts'
export const walks: Readonly<Record<string, Walk>> = {
  'watching.md': watching,
  'tls.md': tls,
  'testing.md': testing,
  'routing-and-transports.md': routingAndTransports,
  'redis-and-sql.md': redisAndSql,
  'queue.md': queue,
  'logs.md': logs,
  'from-exim.md': fromExim,
  'filters.md': filters,
  'events.md': events,
  'behind-haproxy.md': behindHaproxy,
  'certificates-and-ocsp.md': certificatesAndOcsp,
  'check.md': check,
  'checking-mail.md': checkingMail,
  'configuration.md': configuration,
  'dkim.md': dkim,
  'dmarc.md': dmarc,
  'expansions.md': expansions,
  'explain.md': explain,
  'first-message.md': firstMessage,
  'monitoring.md': monitoring,
  'reliability.md': reliability,
  'scanning.md': scanning,
  'security.md': security,
  'spf.md': spf,
}

/** Followed elsewhere: by test/programmatic.test.ts, and by test/host in a fresh Debian root. */
export const elsewhere: Readonly<Record<string, string>> = {
  'embedding.md': 'programmatic.test.ts',
  'install.md': 'host/install-page.ts',
}

/** The pages in two parts of like length, for two processes of tests. */
export function half(which: 0 | 1): string[] {
  return Object.keys(walks).filter((_, at) => at % 2 === which)
}
