/** The Dovecot of the recipes: passwords at `auth`, LMTP at `lmtp` and 198.51.100.19, mailboxes in `mail`. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Fetched, fetchDebian } from './debian.ts'
import { type Dovecot, startDovecot } from './dovecot.ts'

/** A Dovecot whose modules can be laid over /usr/lib, where alone its LMTP server looks for them. */
export function fetchRecipesDovecot(): Fetched {
  const fetched = fetchDebian(['dovecot-core', 'dovecot-lmtpd', 'libnss-wrapper'])
  if ('missing' in fetched) return fetched
  const { status } = spawnSync('unshare', ['-m', 'mount', ...overlay(fetched.root)])
  return status === 0 ? fetched : { missing: 'no overlay of /usr/lib is allowed here' }
}

function overlay(root: string): readonly string[] {
  return ['-t', 'overlay', 'overlay', '-o', `lowerdir=/usr/lib:${root}/usr/lib`, '/usr/lib']
}

/** Where the mounts are one's own. */
export function startRecipesDovecot(
  root: string,
  folder: string,
): Promise<Dovecot | { readonly missing: string }> {
  spawnSync('mount', overlay(root))
  const at = (name: string): string => join(folder, name)
  mkdirSync(at('mail'), { recursive: true })
  chmodSync(folder, 0o755)
  chmodSync(at('mail'), 0o777)
  writeFileSync(at('users'), 'alice:{PLAIN}wonder::::::\nbob:{PLAIN}build::::::\n')
  return startDovecot(
    root,
    folder,
    `protocols = lmtp
hostname = mailstore.example
postmaster_address = postmaster@mailstore.example
first_valid_uid = 1
auth_mechanisms = plain login cram-md5 scram-sha-256
auth_failure_delay = 0
auth_username_format = %Ln
disable_plaintext_auth = no
mail_location = maildir:${at('mail')}/%n
passdb {
  driver = passwd-file
  args = scheme=PLAIN ${at('users')}
}
userdb {
  driver = passwd-file
  args = ${at('users')}
  default_fields = uid=mail gid=mail home=${at('mail')}/%n
}
service auth {
  chroot =
  user = root
  unix_listener ${at('auth')} {
    mode = 0666
  }
}
service lmtp {
  chroot =
  user = root
  unix_listener ${at('lmtp')} {
    mode = 0666
  }
  inet_listener lmtp {
    address = 198.51.100.19
    port = 24
  }
}
`,
    at('lmtp'),
  )
}
