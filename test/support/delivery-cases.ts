/** What test/delivery-vs-exim.test.ts has delivered. */
import { type DeliveryCase, usualMessage } from './delivery-compare.ts'

const usualHeaders = usualMessage.slice(0, usualMessage.indexOf('\n\n') + 1)

const filters: readonly DeliveryCase[] = [
  { says: 'a filter saves to a file below the home directory', filter: '# Exim filter\nsave mail1\n' },
  {
    says: 'a filter saves to two files and sends a copy away',
    filter: '# Exim filter\nsave a\nsave DIR/b 640\ndeliver w@far.example\n',
  },
  { says: 'seen finish discards', filter: '# Exim filter\nseen finish\n' },
  { says: 'a syntax error defers', filter: '# Exim filter\nbogus\n' },
  {
    says: 'fail where it is allowed',
    filter: '# Exim filter\nsave a\nfail "no thanks"\n',
    options: '  allow_fail',
  },
  { says: 'defer where it is allowed', filter: '# Exim filter\ndefer "later"\n', options: '  allow_defer' },
  {
    says: 'freeze where it is allowed',
    filter: '# Exim filter\nfreeze "stop"\n',
    options: '  allow_freeze',
    meant: 'thawed by hand, freeze is ignored, as the manual has it; Exim then fails the address',
  },
  { says: 'fail where it is not', filter: '# Exim filter\nfail "no thanks"\n' },
  {
    says: 'a pipe whose arguments are expanded',
    filter: '# Exim filter\npipe "/bin/sh -c \\"cat > DIR/out\\" $message_id"\n',
  },
  { says: 'a tainted argument of a pipe', filter: '# Exim filter\npipe "/bin/echo $h_subject:"\n' },
  { says: 'noerror', filter: '# Exim filter\nnoerror pipe /bin/false\n' },
  {
    says: 'noerror before a forbidden file',
    filter: '# Exim filter\nnoerror save x\n',
    options: '  forbid_file',
  },
  { says: 'a forbidden pipe', filter: '# Exim filter\npipe x\n', options: '  forbid_pipe' },
  {
    says: 'a forbidden answer',
    filter: '# Exim filter\nseen mail text x\n',
    options: '  forbid_filter_reply',
  },
  { says: 'an answer to nobody', filter: '# Exim filter\nseen mail to "bad bad" text x\n' },
  { says: 'Exim filters forbidden', filter: '# Exim filter\nsave x\n', options: '  forbid_exim_filter' },
  { says: 'Sieve filters forbidden', filter: '# Sieve filter\nkeep;\n', options: '  forbid_sieve_filter' },
  { says: 'filters not allowed', filter: '# Exim filter\nsave x\n', options: '  no_allow_filter' },
  {
    says: 'a log file',
    filter: '# Exim filter\nlogfile DIR/log\nlogwrite "one $h_subject:"\nlogwrite "two\\n"\nseen finish\n',
  },
  { says: 'a log without logfile', filter: '# Exim filter\nlogwrite x\n' },
  {
    says: 'logwrite forbidden',
    filter: '# Exim filter\nlogfile DIR/l\nlogwrite x\n',
    options: '  forbid_filter_logwrite',
  },
  {
    says: 'readfile forbidden',
    filter: '# Exim filter\nsave ${readfile{/etc/hostname}}\n',
    options: '  forbid_filter_readfile',
  },
  {
    says: 'run forbidden',
    filter: '# Exim filter\nsave "${run{/bin/true}{x}}"\n',
    options: '  forbid_filter_run',
  },
  {
    says: 'readsocket forbidden',
    filter: '# Exim filter\nsave "${readsocket{/x}{y}}"\n',
    options: '  forbid_filter_readsocket',
  },
  { says: 'perl forbidden', filter: '# Exim filter\nsave "${perl{x}}"\n', options: '  forbid_filter_perl' },
  {
    says: 'dlfunc forbidden',
    filter: '# Exim filter\nsave "${dlfunc{x}{y}}"\n',
    options: '  forbid_filter_dlfunc',
  },
  {
    says: 'lookup forbidden',
    filter: '# Exim filter\nsave "${lookup{x}lsearch{/etc/passwd}}"\n',
    options: '  forbid_filter_lookup',
  },
  {
    says: 'exists forbidden',
    filter: '# Exim filter\nsave "${if exists{/etc}{x}}"\n',
    options: '  forbid_filter_existstest',
  },
  {
    says: 'stat forbidden',
    filter: '# Exim filter\nsave "${stat:/etc}"\n',
    options: '  forbid_filter_existstest',
  },
  { says: 'saving to a folder', filter: '# Exim filter\nsave box/\n' },
  {
    says: 'no home directory is put before the path',
    filter: '# Exim filter\nsave x\n',
    options: '  no_filter_prepend_home',
  },
  {
    says: 'an answer',
    filter:
      '# Exim filter\nmail to NAME@reply.example subject "re: $h_subject:" text "one\\ntwo" from me@x.example extra_headers "X-A: b"\nseen finish\n',
  },
  {
    says: 'Sieve: vacation',
    from: 'NAME@reply.example',
    message: usualMessage.replace('me@x.example', 'NAME@x.example'),
    filter: '# Sieve filter\nrequire "vacation"; vacation :days 3 :subject "away" "I am away.";\n',
    options: '  sieve_vacation_directory = DIR/vacation',
    files: { 'vacation/': '' },
  },
  { says: 'a bounce gets no answer', from: '<>', filter: '# Exim filter\nseen mail text x\nsave x\n' },
  {
    says: 'conditions on headers',
    filter:
      '# Exim filter\nif $h_subject: contains HELLO and not personal then save yes else save no endif\n',
  },
  {
    says: 'two addresses',
    filter: '# Exim filter\ndeliver w@far.example\ndeliver v@far.example\nsave a\nsave b\n',
  },
  { says: 'the same file twice', filter: '# Exim filter\nsave x 640\nsave x 644\n' },
  { says: 'Sieve: keep', filter: '# Sieve filter\nkeep;\n' },
  { says: 'Sieve: stop keeps', filter: '# Sieve filter\nstop;\n' },
  { says: 'Sieve: discard', filter: '# Sieve filter\ndiscard;\n' },
  {
    says: 'Sieve: fileinto twice and redirect',
    filter: '# Sieve filter\nrequire "fileinto"; fileinto "a"; fileinto "DIR/b"; redirect "w@far.example";\n',
  },
  {
    says: 'Sieve: copy',
    filter:
      '# Sieve filter\nrequire ["fileinto","copy"]; fileinto :copy "x"; redirect :copy "w@far.example";\n',
  },
  { says: 'Sieve: inbox forbidden', filter: '# Sieve filter\nkeep;\n', options: '  forbid_file' },
]

/** A router that takes the address of the case, and its transport. */
function plain(
  says: string,
  transport: string,
  more: Partial<DeliveryCase> & { router?: string } = {},
): DeliveryCase {
  const { router = '', ...rest } = more
  return {
    says,
    routers: `NAME_r:
  driver = accept
  local_parts = NAME : NAME-b
  domains = x.example
  transport = NAME_t
  user = nobody
${router}`,
    transports: `NAME_t:
${transport}
`,
    ...rest,
  }
}

const file = '  driver = appendfile\n  file = DIR/box\n'
const long = `${'x'.repeat(70)}\n`.repeat(100)
const fromLines = `${usualHeaders}\nFrom here\n>From there\n.\n..\nFrom\n`

const appendfile: readonly DeliveryCase[] = [
  plain('mbox', file),
  plain('mbox: lines that begin with From', file, { message: fromLines }),
  plain(
    'mbox: return path, envelope-to and delivery date',
    `${file}  return_path_add\n  envelope_to_add\n  delivery_date_add\n`,
  ),
  plain('mbox: without prefix and suffix', `${file}  message_prefix =\n  message_suffix =\n`),
  plain(
    'mbox: own prefix and suffix',
    `${file}  message_prefix = "<$return_path>\\n"\n  message_suffix = "END\\n"\n`,
  ),
  plain('mbox: check and escape strings', `${file}  check_string = "line"\n  escape_string = "| line"\n`),
  plain('mbox: no check string', `${file}  check_string =\n`, { message: fromLines }),
  plain('mbox: CRLF', `${file}  use_crlf\n`),
  plain('mbox: appended to what is there', file, { files: { box: 'before\n' } }),
  plain('mbox: a file that must exist and does not', `${file}  file_must_exist\n`),
  plain('mbox: a file that must exist and does', `${file}  file_must_exist\n`, { files: { box: '' } }),
  plain(
    'mbox: a missing folder is not made',
    '  driver = appendfile\n  file = DIR/sub/box\n  no_create_directory\n',
  ),
  plain('mbox: a missing folder is made', '  driver = appendfile\n  file = DIR/sub/deep/box\n'),
  plain('mbox: only the body', `${file}  body_only\n`),
  plain('mbox: only the headers', `${file}  headers_only\n`),
  plain(
    'mbox: headers added and removed',
    `${file}  headers_add = X-One: 1\\nX-Two: $local_part\n  headers_remove = subject : x-none\n`,
  ),
  plain('mbox: headers added and removed by the router', file, {
    router: '  headers_add = X-R: $sender_address\n  headers_remove = subject:to\n',
  }),
  plain('mbox: two headers_add', `${file}  headers_add = X-A: a\n  headers_add = X-B: b\n`),
  plain('mbox: rewriting of headers', `${file}  headers_rewrite = *@a.example $1@z.example fs\n`),
  plain('mbox: another return path', `${file}  return_path = other@z.example\n  return_path_add\n`),
  plain('mbox: errors_to of the router', `${file}  return_path_add\n`, {
    router: '  errors_to = s@r.example\n',
  }),
  plain('mbox: a size limit', `${file}  message_size_limit = 100\n`),
  plain('mbox: a size limit that is expanded', `${file}  message_size_limit = \${if eq{1}{1}{10K}{1}}\n`),
  plain('mbox: over quota', `${file}  quota = 200\n`, { message: `${usualHeaders}\n${long}` }),
  plain('mbox: within quota', `${file}  quota = 20K\n`, { message: `${usualHeaders}\n${long}` }),
  plain('mbox: quota that is not inclusive', `${file}  quota = 200\n  no_quota_is_inclusive\n`, {
    message: `${usualHeaders}\n${long}`,
  }),
  plain('mbox: the wrong owner', `${file}`, { files: { box: { text: '', mode: 0o600 } } }),
  plain('mbox: owner not checked', `${file}  no_check_owner\n`, {
    files: { box: { text: '', mode: 0o666 } },
  }),
  plain('mbox: a folder in place of the file', file, { files: { 'box/': '' } }),
  plain('mbox: a tainted path', '  driver = appendfile\n  file = DIR/$local_part\n'),
  plain('mbox: a relative path', '  driver = appendfile\n  file = box\n'),
  plain('mbox: a path that fails to expand', '  driver = appendfile\n  file = DIR/${if\n'),
  plain('mbox: a lock file in the way', `${file}  lock_retries = 0\n  lockfile_timeout = 0s\n`, {
    files: { 'box.lock': '' },
  }),
  plain('mbox: create_file = inhome', `${file}  create_file = inhome\n`, {
    router: '  transport_home_directory = DIR\n',
  }),
  plain(
    'mbox: create_file = belowhome, outside',
    '  driver = appendfile\n  file = /tmp/NAME.postern-none/box\n  create_file = belowhome\n',
    { router: '  transport_home_directory = DIR\n' },
  ),
  plain('mbox: two recipients, one copy each', `${file}  envelope_to_add\n`, {
    to: 'NAME@x.example NAME-b@x.example',
  }),
  plain('mbox: two recipients in one batch', `${file}  batch_max = 10\n  envelope_to_add\n`, {
    to: 'NAME@x.example NAME-b@x.example',
  }),
  plain('mbox: BSMTP', `${file}  use_bsmtp\n  batch_max = 10\n`, { to: 'NAME@x.example NAME-b@x.example' }),
  plain('mbox: BSMTP with a prefix and dots', `${file}  use_bsmtp\n  message_prefix = "HELO x\\n"\n`, {
    message: `${usualHeaders}\n.\n..two\nend\n`,
  }),
  plain('mbox: no lock file', `${file}  no_use_lockfile\n`),
  plain('mbox: flock', `${file}  use_flock_lock\n`),
  plain('a folder', '  driver = appendfile\n  directory = DIR/d\n'),
  plain(
    'a folder: CRLF and a prefix',
    '  driver = appendfile\n  directory = DIR/d\n  use_crlf\n  message_prefix = "P\\n"\n',
  ),
  plain(
    'a folder: a name for the file',
    '  driver = appendfile\n  directory = DIR/d\n  directory_file = m.$tod_epoch\n',
  ),
  plain('maildir', '  driver = appendfile\n  directory = DIR/md\n  maildir_format\n'),
  plain(
    'maildir: over quota',
    '  driver = appendfile\n  directory = DIR/md\n  maildir_format\n  quota = 100\n',
  ),
  plain(
    'maildir: too many files',
    '  driver = appendfile\n  directory = DIR/md\n  maildir_format\n  quota = 10M\n  quota_filecount = 1\n',
    { files: { 'md/': '', 'md/new/': '', 'md/cur/': '', 'md/tmp/': '', 'md/cur/a': 'x' } },
  ),
  plain(
    'maildir: a size file',
    '  driver = appendfile\n  directory = DIR/md\n  maildir_format\n  maildir_use_size_file\n  quota = 10M\n',
  ),
  plain(
    'maildir: a size file without quota',
    '  driver = appendfile\n  directory = DIR/md\n  maildir_format\n  maildir_use_size_file\n',
  ),
  plain(
    'maildir: a folder of a maildir++',
    '  driver = appendfile\n  directory = DIR/md/.Sub\n  maildir_format\n  maildirfolder_create_regex = /\\.[^/]+\\$\n',
  ),
  plain('mailstore', '  driver = appendfile\n  directory = DIR/ms\n  mailstore_format\n'),
  plain(
    'mailstore: two recipients, prefix and suffix',
    '  driver = appendfile\n  directory = DIR/ms\n  mailstore_format\n  batch_max = 5\n  mailstore_prefix = "P $local_part\\n"\n  mailstore_suffix = "S\\n"\n',
    { to: 'NAME@x.example NAME-b@x.example' },
  ),
  plain('a size of the mailbox that is told', `${file}  quota = 1M\n  mailbox_size = 1048000\n`, {
    message: `${usualHeaders}\n${long}`,
  }),
]

const told =
  'X-Told: d=$domain l=$local_part dd=$domain_data ld=$local_part_data a=$address_data od=$original_domain ol=$original_local_part pd=$parent_domain r=$router_name t=$transport_name v=$r_x'

/** What several addresses together are, and when they are not taken together. */
function together(says: string, transport: string, to = 'NAME@x.example NAME-b@x.example'): DeliveryCase {
  return {
    says,
    to,
    routers: `NAME_al:
  driver = redirect
  domains = al.example
  local_parts = NAME
  data = NAME@x.example, NAME-b@x.example
NAME_r:
  driver = accept
  local_parts = NAME : NAME-b
  domains = x.example : y.example
  address_data = of $local_part
  set = r_x = x of $local_part
  transport = NAME_t
  user = nobody
`,
    transports: `NAME_t:
  driver = appendfile
  batch_max = 10
${transport.includes('  file = ') ? '' : '  file = DIR/box\n'}${transport}
`,
  }
}

const batched: readonly DeliveryCase[] = [
  plain(
    'a return path that is made of what it was',
    `${file}  return_path = x-$return_path\n  return_path_add\n`,
    {
      router: '  errors_to = s@r.example\n',
      from: 'other@r.example',
    },
  ),
  together('a batch of one', `  headers_add = ${told}\n`, 'NAME@x.example'),
  together('a batch of one domain', `  headers_add = ${told}\n`),
  together('a batch of two domains', `  headers_add = ${told}\n`, 'NAME@x.example NAME-b@y.example'),
  together('a batch of one address that became two', `  headers_add = ${told}\n`, 'NAME@al.example'),
  together(
    'the local part in an option of the driver: those of one local part go together',
    '  message_prefix = "P $local_part\\n"\n',
    'NAME@x.example NAME-b@x.example NAME-b@y.example',
  ),
  together(
    'what the list knows of the local part counts as the local part',
    '  message_suffix = ${length_0:$local_part_data}\n',
  ),
  together(
    'the domain in an option of the driver',
    '  message_suffix = $domain\n',
    'NAME@x.example NAME@y.example',
  ),
  together('the local part in an option of all transports', '  debug_print = $local_part\n'),
  together('the local part in a string that is not expanded', '  check_string = $local_part\n'),
]

const creating = (
  says: string,
  transport: string,
  more: Partial<DeliveryCase> & { router?: string } = {},
): DeliveryCase =>
  plain(`create_file: ${says}`, `  driver = appendfile\n${transport}`, {
    router: '  transport_home_directory = DIR/home\n',
    files: { 'home/': '', 'other/': '', 'other/there/': '', ...more.files },
    ...more,
  })
const folder = '  maildir_format\n  directory = '
const untainted = 'Exim 4.96 defers without a word where a path is not tainted'

const places: readonly DeliveryCase[] = [
  creating('a folder below the home', `${folder}DIR/home/m\n  create_file = belowhome\n`),
  creating('a folder elsewhere', `${folder}DIR/other/m\n  create_file = belowhome\n`),
  creating('a folder elsewhere that is there', '  directory = DIR/other/there\n  create_file = belowhome\n'),
  creating('no folder is inhome', `${folder}DIR/home/m\n  create_file = inhome\n`),
  creating(
    'below the home a tainted path is good',
    '  file = DIR/home/$local_part\n  create_file = belowhome\n',
  ),
  creating('a tainted path to a folder', `${folder}DIR/home/$local_part\n  create_file = belowhome\n`),
  creating('tainted and elsewhere', '  file = DIR/other/$local_part\n  create_file = belowhome\n'),
  creating('tainted, with a way out', '  file = DIR/home/$local_part/../../x\n  create_file = belowhome\n'),
  creating('tainted and inhome', '  file = DIR/home/$local_part\n  create_file = inhome\n'),
  creating('a path in place of a word', '  file = DIR/other/$local_part\n  create_file = DIR/other\n'),
  creating('not below that path', '  file = DIR/home/x\n  create_file = DIR/other\n'),
  creating('a file below the home', '  file = DIR/home/x\n  create_file = belowhome\n', { meant: untainted }),
  creating('/dev/null', '  file = /dev/null\n  create_file = belowhome\n'),
  plain('a home that is not there', file, { router: '  transport_home_directory = DIR/none\n' }),
  plain('a home that is not there, for a pipe', '  driver = pipe\n  command = /bin/true\n', {
    router: '  transport_home_directory = DIR/none\n',
  }),
  plain('a current directory that is not there', `${file}  current_directory = DIR/none\n`),
  plain('a home that is no path', `${file}  home_directory = \${if eq{1}{2}{x}}\n`),
  plain('a current directory that is no path', `${file}  current_directory = none\n`),
  ...['${if eq{1}{2}{1}}', '/no_check', 'K', '-1', '10Mx', '10M / no_check', '1T', '10 M'].map((value) =>
    plain(`quota = ${value}`, `${file}  quota = ${value}\n`),
  ),
  plain('a header that cannot be expanded', `${file}  headers_add = X: \${lc\n`, {
    meant: 'Exim has made the file by then, and names it',
  }),
]

/** Where a delivery is at home: `home` and `current` of the transport, and of the router. */
const shell = '  driver = pipe\n  command = /bin/sh -c "pwd > DIR/out; printenv HOME >> DIR/out"\n'
const homely = (says: string, transport: string, router = ''): DeliveryCase =>
  plain(`home: ${says}`, transport, { router, files: { 'a/': '', 'b/': '' } })
/** Is there, and tainted. */
const ofStranger = 'DIR/${sg{$local_part}{.+}{a}}'

const homes: readonly DeliveryCase[] = [
  ...[
    ['a file', '  driver = appendfile\n  file = $home/box\n'],
    ['a command', '  driver = pipe\n  command = $home/true\n'],
    ['an argument', '  driver = pipe\n  command = /bin/echo $home\n'],
    ['a file below it', '  driver = appendfile\n  file = $home/box\n  create_file = belowhome\n'],
    ['nothing', shell],
  ].flatMap(([what = '', transport = '']) => [
    homely(
      `made by a stranger for ${what}, by the transport`,
      `${transport}  home_directory = ${ofStranger}\n`,
    ),
    homely(
      `made by a stranger for ${what}, by the router`,
      transport,
      `  router_home_directory = ${ofStranger}\n`,
    ),
    homely(
      `made by a stranger for ${what}, for the transport`,
      transport,
      `  transport_home_directory = ${ofStranger}\n`,
    ),
  ]),
  homely('a stranger makes the current directory', `${shell}  current_directory = ${ofStranger}\n`),
  homely(
    'the current directory of the router names the home of the transport',
    `${shell}  home_directory = DIR/b\n`,
    '  router_home_directory = DIR/a\n  transport_current_directory = $home\n',
  ),
  homely(
    'the current directory of the router names its home for the transport',
    shell,
    '  router_home_directory = DIR/a\n  transport_home_directory = DIR/b\n  transport_current_directory = $home\n',
  ),
  homely(
    'the current directory of the transport names the home of the router',
    `${shell}  current_directory = $home\n`,
    '  router_home_directory = DIR/a\n  transport_home_directory = DIR/b\n',
  ),
  homely(
    'the home of the transport names none',
    `${shell}  home_directory = \${if def:home{DIR/a}{DIR/b}}\n`,
    '  router_home_directory = DIR/a\n',
  ),
  homely(
    'nor does that of the router for the transport',
    shell,
    '  router_home_directory = DIR/a\n  transport_home_directory = ${if def:home{DIR/a}{DIR/b}}\n',
  ),
]

const unexpanded = (option: string, transport = file): DeliveryCase =>
  plain(`${/driver = (\w+)/.exec(transport)?.[1]}: ${option}`, `${transport}  ${option}\n`)
const inMaildir = '  driver = appendfile\n  directory = DIR/d\n  maildir_format\n'
const madeFirst = { meant: 'Exim has made the file by then' }

const unexpandable: readonly DeliveryCase[] = [
  ...['${lc', '${if eq{1}{2}{x}fail}'].flatMap((value) => [
    { ...unexpanded(`message_prefix = ${value}`), ...madeFirst },
    unexpanded(`user = ${value}`),
    unexpanded(`group = ${value}`),
    unexpanded(`home_directory = ${value}`),
    unexpanded(`return_path = ${value}`),
    unexpanded(`message_size_limit = ${value}`),
    unexpanded(`transport_filter = ${value}`),
    unexpanded(`quota = 1M\n  quota_warn_threshold = ${value}`),
    unexpanded(`maildir_tag = ${value}`, inMaildir),
    unexpanded(`directory_file = ${value}`, '  driver = appendfile\n  directory = DIR/d\n'),
    unexpanded(`allow_commands = ${value}`, '  driver = pipe\n  command = /bin/true\n'),
    ...['to', 'cc', 'from', 'subject', 'text', 'headers', 'reply_to', 'file', 'log', 'once'].map((option) =>
      unexpanded(
        `${option} = ${value}`,
        `  driver = autoreply\n${option === 'to' ? '' : '  to = NAME@reply.example\n'}${option === 'text' ? '' : '  text = hi\n'}`,
      ),
    ),
  ]),
  ...['', '-3', 'nonsense', '1.5M', '$domain'].flatMap((value) => [
    unexpanded(`message_size_limit = ${value}`),
    unexpanded(`quota = 1M\n  mailbox_size = ${value}`),
    unexpanded(`quota = 1M\n  quota_warn_threshold = ${value}`),
  ]),
  ...['${bogus}', '$local_part', ''].map((value) =>
    unexpanded(`quota_directory = ${value}`, `${inMaildir}  quota = 10M\n`),
  ),
  ...['prefix', 'suffix'].map((which) =>
    unexpanded(
      `mailstore_${which} = \${bogus}`,
      '  driver = appendfile\n  directory = DIR/m\n  mailstore_format\n',
    ),
  ),
  unexpanded('quota_warn_message = ${bogus}', `${file}  quota = 10M\n  quota_warn_threshold = 10\n`),
  ...['${bogus}', 'x', '10'].map((value) =>
    unexpanded(
      `message_size_limit = ${value}`,
      '  driver = autoreply\n  to = NAME@reply.example\n  text = x\n',
    ),
  ),
  unexpanded('user = $local_part'),
  unexpanded('group = $local_part'),
  unexpanded('transport_filter = $local_part'),
  unexpanded('directory_file = $local_part', '  driver = appendfile\n  directory = DIR/d\n'),
  plain('a tainted path that is relative', '  driver = appendfile\n  file = $local_part\n'),
]

const sh = (script: string): string => `  driver = pipe\n  command = /bin/sh -c "${script}"\n`

const pipe: readonly DeliveryCase[] = [
  plain('pipe', sh('cat > DIR/out')),
  plain(
    'pipe: lines that begin with From',
    `${sh('cat > DIR/out')}  check_string = "From "\n  escape_string = ">From "\n`,
    { message: fromLines },
  ),
  plain('pipe: no prefix and suffix', `${sh('cat > DIR/out')}  message_prefix =\n  message_suffix =\n`),
  plain('pipe: BSMTP for two', `${sh('cat > DIR/out')}  use_bsmtp\n  batch_max = 9\n`, {
    to: 'NAME@x.example NAME-b@x.example',
  }),
  plain(
    'pipe: BSMTP with CRLF',
    `${sh('cat > DIR/out')}  use_bsmtp\n  use_crlf\n  message_prefix = "HELO x\\n"\n`,
  ),
  plain('mbox: BSMTP with CRLF', `${file}  use_bsmtp\n  use_crlf\n  message_suffix = "QUIT\\n"\n`),
  ...[
    'command = /bin/echo $local_part',
    'command = $local_part',
    'command = no-such-command',
    'command = /bin/true\n  restrict_to_path',
    'command = /bin/false\n  allow_commands = /bin/true',
  ].map((options) =>
    plain(`pipe, and reported: ${options}`, `  driver = pipe\n  ${options}\n`, {
      from: 'NAME@reply.example',
    }),
  ),
  plain(
    'pipe: a tainted command for a shell',
    '  driver = pipe\n  command = echo $local_part\n  use_shell\n',
    {
      meant: 'nothing from outside becomes part of what a shell runs',
    },
  ),
  plain('pipe: CRLF', `${sh('cat > DIR/out')}  use_crlf\n`),
  plain('pipe: a failure', sh('exit 3')),
  plain('pipe: a temporary failure', sh('exit 75')),
  plain('pipe: own temporary errors', `${sh('exit 3')}  temp_errors = 3:4\n`),
  plain('pipe: every error is temporary', `${sh('exit 9')}  temp_errors = *\n`),
  plain('pipe: status ignored', `${sh('exit 9')}  ignore_status\n`),
  plain('pipe: killed by a signal', sh('kill -9 $$$$')),
  plain('pipe: output without return_output', sh('echo hello')),
  plain('pipe: output returned is a failure', `${sh('echo hello')}  return_output\n`),
  plain('pipe: return_fail_output', `${sh('echo hello; exit 1')}  return_fail_output\n`),
  plain('pipe: log_output', `${sh('echo hello')}  log_output\n`),
  plain('pipe: log_fail_output', `${sh('echo hello; exit 2')}  log_fail_output\n`),
  plain('pipe: log_defer_output', `${sh('echo hello; exit 75')}  log_defer_output\n`),
  plain('pipe: too slow', `${sh('sleep 20')}  timeout = 1s\n`),
  plain('pipe: too slow, deferred', `${sh('sleep 20')}  timeout = 1s\n  timeout_defer\n`),
  plain('pipe: a command that is not there', '  driver = pipe\n  command = /nonexistent/x\n'),
  plain('pipe: not there, frozen', '  driver = pipe\n  command = /nonexistent/x\n  freeze_exec_fail\n'),
  ...['${lc', '${if eq{1}{2}{x}fail}'].map((value) => ({
    ...plain(`pipe: path = ${value}`, `  driver = pipe\n  command = true\n  path = ${value}\n`),
    meant: 'no mail bounces by a mistake in a configuration',
  })),
  ...['', '$local_part', '/nonexistent', '${if eq{1}{1}{/usr/bin}}'].map((value) =>
    plain(`pipe: path = ${value}`, `  driver = pipe\n  command = true\n  path = ${value}\n`),
  ),
  ...['${lc', '${if eq{1}{2}{x}fail}', '', 'X=$local_part', 'bogus'].map((value) =>
    plain(`pipe: environment = ${value}`, `${sh('env | grep ^[Xb] > DIR/out')}  environment = ${value}\n`),
  ),
  plain('pipe: found in the path', '  driver = pipe\n  command = true\n'),
  plain('pipe: not found in the path', '  driver = pipe\n  command = no-such-command\n'),
  plain('pipe: restricted to the path', '  driver = pipe\n  command = /bin/true\n  restrict_to_path\n'),
  plain('pipe: allowed commands', '  driver = pipe\n  command = /bin/true\n  allow_commands = /bin/true\n'),
  plain(
    'pipe: other than the allowed commands',
    '  driver = pipe\n  command = /bin/false\n  allow_commands = /bin/true\n',
  ),
  plain(
    'pipe: through a shell',
    '  driver = pipe\n  command = cat > DIR/out; echo $USER >> DIR/out\n  use_shell\n',
  ),
  plain(
    'pipe: environment',
    `${sh('env | grep -E ^[DLMQRSUX][A-Z_]*= | grep -v MESSAGE_ID | sort > DIR/out')}  environment = X=1:Y=2\n`,
  ),
  plain('pipe: umask', `${sh('umask > DIR/out')}  umask = 077\n`),
  plain(
    'pipe: addresses of a batch',
    `  driver = pipe\n  command = /bin/echo $pipe_addresses\n  batch_max = 9\n  log_output\n`,
    { to: 'NAME@x.example NAME-b@x.example' },
  ),
  plain('pipe: a tainted argument', '  driver = pipe\n  command = /bin/echo $local_part\n'),
  plain('pipe: a tainted command', '  driver = pipe\n  command = $local_part\n'),
  plain('pipe: arguments in quotes', `  driver = pipe\n  command = /bin/echo "a b" 'c d' e\n  log_output\n`),
  plain('pipe: a quote that is missing', '  driver = pipe\n  command = /bin/echo "a b\n'),
  plain('pipe: most output', `${sh('yes | head -c 3000000')}  max_output = 1K\n  return_output\n`),
  ...['0', '3', '6'].map((most) =>
    plain(
      `pipe: most output, ${most} of 6 bytes`,
      `${sh('cat > /dev/null; echo hello; sleep 0.5')}  max_output = ${most}\n  return_output\n  log_output\n`,
    ),
  ),
  plain(
    'pipe: a filter of the transport',
    `${sh('cat > DIR/out')}  transport_filter = /bin/sed s/line/LINE/\n`,
  ),
  plain('pipe: a filter that fails', `${sh('cat > /dev/null')}  transport_filter = /bin/false\n`),
  plain('mbox: a filter of the transport', `${file}  transport_filter = /usr/bin/tr a-z A-Z\n`),
  plain('mbox: a filter that is not there', `${file}  transport_filter = /nonexistent/filter\n`),
]

/** A redirection of the address of the case. */
function redirected(
  says: string,
  data: string,
  more: Partial<DeliveryCase> & { router?: string } = {},
): DeliveryCase {
  const { router = '', ...rest } = more
  return {
    says,
    routers: `NAME_r:
  driver = redirect
  local_parts = NAME : NAME-b
  domains = x.example
  data = ${data}
  user = nobody
  file_transport = to_file
  directory_transport = to_directory
  pipe_transport = to_pipe
${router}`,
    ...rest,
  }
}

const redirections: readonly DeliveryCase[] = [
  redirected('redirected to two addresses', 'box@x.example, w@far.example'),
  redirected('redirected to a file, a folder and a pipe', 'DIR/f, DIR/d/, "|/bin/sh -c \'cat > DIR/p\'"'),
  redirected('redirected to an address, a file and another', 'w@far.example, DIR/f, v@far.example'),
  redirected('redirected to /dev/null', '/dev/null'),
  redirected('blackhole', ':blackhole:'),
  redirected('fail', ':fail: gone away', { router: '  allow_fail\n' }),
  redirected('fail with a code', ':fail: 551 5.1.6 moved', { router: '  allow_fail\n' }),
  redirected('defer', ':defer: not now', { router: '  allow_defer\n' }),
  redirected('fail that is not allowed', ':fail: gone away'),
  redirected('fail with a text of two lines', ':fail: gone\\naway, all', { router: '  allow_fail\n' }),
  redirected('an included file without a name', ':include:'),
  redirected('a file whose name cannot be expanded', '\n  file = ${lc', {
    routers: 'NAME_r:\n  driver = redirect\n  local_parts = NAME\n  domains = x.example\n  file = ${lc\n',
  }),
  redirected('a forbidden file', 'DIR/f', { router: '  forbid_file\n' }),
  redirected('a forbidden pipe', ', "|/bin/cat"', { router: '  forbid_pipe\n' }),
  redirected('a syntax error', 'a@@b, box@x.example'),
  redirected('a syntax error that is skipped', 'a@@b, box@x.example', { router: '  skip_syntax_errors\n' }),
  redirected('no address at all declines', '', {
    unroutable: true,
    router: '  cannot_route_message = nobody here\n',
  }),
  redirected('two recipients to the same address', 'w@far.example', {
    to: 'NAME@x.example NAME-b@x.example',
  }),
  redirected('two recipients to the same file', 'DIR/f', { to: 'NAME@x.example NAME-b@x.example' }),
  redirected('two recipients, one of them an address and a pipe', ', "|/bin/true", w@far.example', {
    to: 'NAME@x.example NAME-b@x.example',
  }),
  redirected('unseen', 'w@far.example', {
    router:
      '  unseen\nNAME_s:\n  driver = accept\n  local_parts = NAME\n  transport = box\n  user = nobody\n',
  }),
  redirected('errors_to', 'w@far.example', { router: '  errors_to = s@far.example\n' }),
  redirected('one_time', 'w@far.example', { router: '  one_time\n' }),
  redirected('blackhole and unseen', ':blackhole:', {
    meant: 'unseen means a copy; Exim loses it',
    router:
      '  unseen\nNAME_s:\n  driver = accept\n  local_parts = NAME\n  transport = box\n  user = nobody\n',
  }),
  redirected('one_time to itself', 'NAME@x.example', {
    router:
      '  one_time\nNAME_s:\n  driver = accept\n  local_parts = NAME\n  transport = box\n  user = nobody\n',
  }),
  redirected('one_time to itself and another', 'NAME@x.example, w@far.example', {
    router:
      '  one_time\nNAME_s:\n  driver = accept\n  local_parts = NAME\n  transport = box\n  user = nobody\n',
  }),
  redirected('errors_to that is no address', 'w@far.example', { router: '  errors_to = bad@@\n' }),
  redirected('errors_to with two addresses', 'w@far.example', {
    router: '  errors_to = s@far.example, v@far.example\n',
  }),
  redirected('a local part without domain', 'box'),
  redirected('a loop to itself', 'NAME@x.example', {
    router: 'NAME_s:\n  driver = accept\n  local_parts = NAME\n  transport = box\n  user = nobody\n',
  }),
]

const both = { to: 'NAME@x.example NAME-b@x.example' }
const toSender = { from: 'NAME@reply.example' }
/** The next router takes what the first declines. */
const toNext =
  'NAME_s:\n  driver = accept\n  local_parts = NAME : NAME-b\n  domains = x.example\n  transport = NAME_u\n  user = nobody\n'
const nextBox = 'NAME_u:\n  driver = appendfile\n  file = DIR/next\n  return_path_add\n'
const toOwner = '  syntax_errors_to = owner@far.example\n'

const skipping = (filter: string, options = toOwner): DeliveryCase => ({
  says: `skip_syntax_errors: ${filter.trim()} ${options.trim()}`,
  filter: filter.startsWith('#') ? filter : `# Exim filter\n${filter}\n`,
  options: `  skip_syntax_errors\n${options}`,
  routers: toNext,
  transports: nextBox,
  ...unsaid(options),
})

/** The line of the deferral: the one before says more. */
function unsaid(options: string): Partial<DeliveryCase> {
  return /_(?:to|text) = \$\{/.test(options)
    ? { meant: 'the deferral says what was wrong in the first place' }
    : {}
}

/** Redirection data that is wrong, and what nobody is told of it. */
const skipped: readonly DeliveryCase[] = [
  ...[
    'bogus',
    'save DIR/a\nbogus',
    'if 1 is 1 then save DIR/a',
    'save ${bogus}',
    'if "${bogus}" is x then save DIR/a endif',
    'fail "x"',
    'logwrite x',
    'deliver a@@b',
    'save "abc',
  ].map((filter) => skipping(filter)),
  ...[
    '',
    '  syntax_errors_to = ${bogus}\n',
    `${toOwner}  syntax_errors_text = \${bogus}\n`,
    `${toOwner}  syntax_errors_text = \${if eq{1}{2}{x}fail}\n`,
    '  forbid_exim_filter\n',
    '  no_allow_filter\n',
    '  unseen\n',
  ].map((options) => skipping('bogus', options)),
  ...['  forbid_sieve_filter\n', '  no_allow_filter\n'].map((options) =>
    skipping('# Sieve filter\nkeep;\n', options),
  ),
  ...['b@@x, c@@y', 'b@@x, box@x.example'].flatMap((data) =>
    ['', '  syntax_errors_text = ${bogus}\n'].map((text) =>
      redirected(`skip_syntax_errors: ${data} ${text.trim()}`, data, {
        router: `  skip_syntax_errors\n${toOwner}${text}${toNext}`,
        transports: nextBox,
        ...(data.includes('box') && unsaid(text)),
      }),
    ),
  ),
]

const eximFilter = (...lines: string[]): string => `"# Exim filter\\n${lines.join('\\n')}\\n"`
const settingAll = '  errors_to = box@x.example\n  headers_add = X-R: 1\n  headers_remove = subject\n'

/** What the next router gets of an address, and what is told of those that come to nothing. */
const goingOn: readonly DeliveryCase[] = [
  ...[
    ['unseen save DIR/f', settingAll],
    ['unseen deliver box@x.example', settingAll],
    ['unseen mail text x', settingAll],
    ['', settingAll],
    ['logfile DIR/l', settingAll],
    ['unseen save DIR/f', `${settingAll}  unseen\n`],
    ['save DIR/f', `${settingAll}  unseen\n`],
    ['unseen deliver none@x.example', '  errors_to = box@x.example\n'],
  ].map(([filter = '', options = '']) =>
    redirected(
      `a filter, and what the next router gets: ${filter} ${options.replaceAll('\n', ';')}`,
      eximFilter(filter),
      {
        router: `  allow_filter\n  reply_transport = to_reply\n${options}${toNext}`,
        transports: nextBox,
        ...(filter.includes('none@') && { unroutable: true }),
        ...toSender,
      },
    ),
  ),
  redirected('unseen beside a file', 'DIR/f', { router: `  unseen\n${toNext}`, transports: nextBox }),
  ...['/x/y, |/bin/true', '|/bin/true, /x/y', '/x/y, /x/z, /x/u/', '/x/y, none@x.example, /x/z'].map((data) =>
    redirected(`forbidden, and reported: ${data}`, data, {
      router: '  forbid_file\n  forbid_pipe\n',
      ...(data.includes('none@') && { unroutable: true }),
      ...toSender,
    }),
  ),
  redirected('forbidden for two', '/x/y, /x/z', { router: '  forbid_file\n', ...toSender, ...both }),
  redirected('files without a transport', '/x/y, /x/z', {
    routers:
      'NAME_r:\n  driver = redirect\n  local_parts = NAME\n  domains = x.example\n  data = /x/y, /x/z\n',
  }),
  redirected('files whose names came from outside', '/x/$local_part, /x/z$local_part'),
  ...['mail text x', 'mail text x\nsave y\nmail to a@b.example text z'].map((filter) => ({
    says: `forbidden answers, and reported: ${filter}`,
    filter: `# Exim filter\n${filter}\n`,
    options: '  forbid_filter_reply\n  forbid_file\n',
    unroutable: true as const,
    ...toSender,
  })),
  redirected('an empty errors_to below another', 'NAME-c@x.example', {
    router:
      '  errors_to = box@x.example\nNAME_q:\n  driver = redirect\n  domains = x.example\n  local_parts = NAME-c\n  errors_to =\n  data = none@x.example\n',
    unroutable: true,
    ...toSender,
  }),
  plain(
    'output without a line end, and reported',
    sh('printf no; exit 5').concat('  return_output\n'),
    toSender,
  ),
]

/** A program that says where the address of the case goes. */
function asked(says: string, answer: string, more: Partial<DeliveryCase> = {}): DeliveryCase {
  return {
    says: `queryprogram: ${says}`,
    routers: `NAME_r:
  driver = queryprogram
  local_parts = NAME
  domains = x.example
  command = DIR/program
  command_user = nobody
  transport = NAME_t
`,
    transports: 'NAME_t:\n  driver = appendfile\n  file = DIR/box\n  user = nobody\n',
    files: { program: { text: `#!/bin/sh\n${answer}\n`, mode: 0o755 } },
    ...more,
  }
}

const programs: readonly DeliveryCase[] = [
  asked('accept', 'echo accept'),
  asked('accept with data', `echo 'ACCEPT data="a b"'`),
  asked('an unknown transport', 'echo accept transport=none'),
  asked('decline', 'echo decline', { unroutable: true }),
  asked('fail', 'echo fail no such luck'),
  asked('defer', 'echo defer not now'),
  ...['fail', 'defer', 'freeze', 'ERROR', 'REDIRECT :fail:', ''].map((word) =>
    asked(`no text after "${word}"`, `echo "${word}"`),
  ),
  asked('redirect', 'echo redirect w@far.example, box@x.example'),
  asked('pass', 'echo PASS', { unroutable: true }),
  asked('a word that is none', 'echo bogus'),
  asked('no output', 'true'),
  asked('a command that fails', 'echo accept; exit 3'),
  asked('an error', 'echo error bad'),
  asked('redirect to nobody', 'echo redirect'),
  asked('redirect to what is wrong', 'echo redirect a@@b'),
  asked('redirect to :blackhole:', 'echo redirect :blackhole:'),
  asked('redirect to :fail:', 'echo redirect :fail: gone'),
  asked('a lookup of an unknown kind', 'echo accept hosts=a lookup=bogus'),
  asked('an unknown host', 'echo accept hosts=no-such-host.invalid lookup=byname'),
  asked('an empty list of hosts', 'echo accept hosts=""'),
  asked('no hosts', 'echo accept hosts='),
  asked('an empty transport', 'echo accept transport='),
  asked('an empty transport in quotes', `echo 'accept transport=""'`),
  asked('a word that accept does not know', 'echo accept bogus=1'),
  asked('a word without a value', 'echo accept data'),
  asked('more after the first line', 'echo accept; echo more'),
  asked('a long answer', 'yes accept data=x | head -c 3000'),
  asked('a command that is killed', 'kill -9 $$'),
  asked('decline with a text', 'echo decline no', { unroutable: true }),
  asked('freeze', 'echo freeze stop'),
  asked('small letters in front', 'echo "  accept"'),
  ...[
    'timeout = 1s',
    'timeout = 0s',
    'current_directory = DIR',
    'current_directory = /nonexistent',
    'command_group = 7',
    'command_group = ${lc',
  ].map((option) => ({
    ...(/group = \$|none/.test(option) && { meant: 'what is wrong is told' }),
    ...asked(option, option.startsWith('timeout = 1') ? 'sleep 3; echo accept' : 'echo accept'),
    routers: `NAME_r:
  driver = queryprogram
  local_parts = NAME
  domains = x.example
  command = DIR/program
  command_user = nobody
  transport = NAME_t
  ${option}
`,
  })),
  ...['command_user = $local_part', 'command_user = 7', 'command_user = ${lc', 'command = $local_part'].map(
    (option) => ({
      ...asked(option, 'echo accept'),
      routers: `NAME_r:
  driver = queryprogram
  local_parts = NAME
  domains = x.example
  transport = box
${option.includes('user') ? '  command = DIR/program\n' : '  command_user = nobody\n'}  ${option}
`,
    }),
  ),
]

/** Options of the router that cannot be expanded, or come to something odd. */
const routerOption = (option: string, more: Partial<DeliveryCase> = {}): DeliveryCase => {
  const name = /^\w+/.exec(option)?.[0]
  return {
    says: `router: ${option}`,
    routers: `NAME_r:
  driver = accept
  local_parts = NAME
  domains = x.example
  transport = NAME_t
${name === 'user' ? '' : '  user = nobody\n'}  ${option}
`,
    transports: 'NAME_t:\n  driver = appendfile\n  file = DIR/box\n  return_path_add\n',
    ...more,
  }
}
const unset = '${if eq{1}{2}{x}fail}'

const routerOptions: readonly DeliveryCase[] = [
  ...['transport_home_directory', 'transport_current_directory'].flatMap((option) =>
    ['${lc', unset, '${if eq{1}{2}{x}}', 'none'].map((value) => routerOption(`${option} = ${value}`)),
  ),
  routerOption('transport_home_directory = ${lc\n  group = nogroup', {
    says: 'router: a home that cannot be expanded, where the transport has its own',
    transports: 'NAME_t:\n  driver = appendfile\n  file = DIR/box\n  home_directory = DIR\n',
  }),
  ...['${lc', unset, '${if eq{1}{2}{x}}', 'none'].map((value) =>
    routerOption(`router_home_directory = ${value}`),
  ),
  ...['user = ${lc', `user = ${unset}`, 'user = 7', 'user = 7\n  group = 7', 'group = ${lc', 'group = 7'].map(
    (option) => routerOption(option),
  ),
  routerOption('senders = ${lc'),
  routerOption(`senders = ${unset}`, { unroutable: true }),
  routerOption('senders = lsearch;DIR/none', {
    meant: 'Exim 4.96 ends there, without a line on the address',
  }),
  routerOption('errors_to = box', {
    says: 'router: errors_to without a domain',
    transports: 'NAME_t:\n  driver = appendfile\n  file = DIR/box\n  return_path_add\n',
  }),
  ...['7', '7,7,/etc', '7,7:/etc', 'nobody:/etc', '${lc', unset].map((value) =>
    routerOption(`require_files = ${value}`),
  ),
  ...[
    '/etc/passwd/x',
    'nobody:/etc/passwd/x',
    '!/etc/passwd/x',
    '+/etc/passwd/x',
    '/dev/null/x',
    `/tmp/${'x'.repeat(300)}`,
    'nobody:!+/etc/shadow',
    'nobody:+!/etc/shadow',
    'nobody:+/etc/shadow',
    '! /etc/nosuch',
  ].map((value) => routerOption(`require_files = ${value}`, { unroutable: true })),
  // White space counts.
  ...['"no "', '" 0"', '"false\\n"', '"  "', '"NO"', '"off"'].flatMap((value) => [
    routerOption(`condition = ${value}`, { unroutable: true }),
    plain(`shadow_condition = ${value}`, `${file}  shadow_transport = far\n  shadow_condition = ${value}\n`),
  ]),
  ...['address_data', 'condition', 'transport_home_directory', 'headers_add'].map((option) =>
    routerOption(`${option} = \${lookup mysql{x}}`, { meant: 'Exim says "Temporary internal error" alone' }),
  ),
  routerOption('set = r_x = $nosuch', { meant: 'Exim 4.96 says Completed and delivers to nobody' }),
  routerOption('unseen = $nosuch', { meant: 'Exim 4.96 delivers in the second run, though it deferred' }),
]

/** Hosts that a rule of manualroute gives; a local transport gets the list as it is. */
const manual = (rule: string, more: Partial<DeliveryCase> & { router?: string } = {}): DeliveryCase => ({
  says: `manualroute: ${rule} ${more.router?.trim() ?? ''}`,
  routers: `NAME_r:
  driver = manualroute
  local_parts = NAME
  domains = x.example
  transport = ${more.router?.includes('host_find_failed') || more.router?.includes('self') ? 'NAME_s' : 'NAME_t'}
  route_list = ${rule}
${more.router ?? ''}NAME_end:
  driver = redirect
  local_parts = NAME
  domains = x.example
  allow_fail
  data = :fail: end
`,
  transports: `NAME_t:
  driver = pipe
  command = /bin/sh -c "echo host $host >DIR/out"
  user = nobody
NAME_s:
  driver = smtp
`,
})

const manualRoutes: readonly DeliveryCase[] = [
  ...[
    '* uucp-host',
    '* "a : b"',
    'x.example',
    '* $domain.uucp',
    '* $nosuch',
    '* ${lc',
    '* "${if eq{1}{2}{x}fail}"',
    '* "${if eq{1}{2}{x}}"',
    '* ${lookup{x}lsearch{/nonexistent/f}}',
    '$nosuch a',
  ].map((rule) => manual(rule)),
  ...['defer', 'freeze', 'fail', 'pass'].map((self) =>
    manual('* 127.0.0.1', { router: `  self = ${self}\n` }),
  ),
  manual('* no-such-host.invalid', { router: '  host_find_failed = ignore\n' }),
]

const oddHosts: readonly DeliveryCase[] = [
  ...[
    '* 127.0.0.256',
    '* 127.0.0.1::99999',
    '* 127.0.0.1::0',
    '* 127.0.0.1::x',
    '* [::1]',
    '* "[192.0.2.1"',
    '* +',
    '* "192.0.2.1 byname"',
    '* 192.0.2.1 bogus',
    '* 192.0.2.1 byname bydns',
    '* 192.0.2.1 NAME_none',
    '* 192.0.2.1 randomize no_randomize ipv4_only',
    '* 192.0.2.1/MX',
    '* no-such-host.invalid/MX',
    '* *.example',
  ].map((rule) => manual(rule, { router: '  self = fail\n' })),
  ...['* [127.0.0.1]', '* 1.2.3'].map((rule) => ({
    ...manual(rule, { router: '  self = fail\n' }),
    meant: 'an address is one, and what is none is not',
  })),
  ...['${if eq{1}{2}{x}fail}', '127.0.0.0/33', '127.0.0.0/x', '*.example', '', '127.0.0.0/8', '*'].map(
    (list) => manual('* 127.0.0.1', { router: `  self = fail\n  ignore_target_hosts = ${list}\n` }),
  ),
  ...['${lc', '/nonexistent', 'net-iplsearch;/nonexistent', '+none'].map((list) => ({
    ...manual('* 127.0.0.1', { router: `  self = fail\n  ignore_target_hosts = ${list}\n` }),
    meant: 'hosts to be ignored are not sent to by mistake',
  })),
]

/** A user without a name: Exim then adds no `Sender:`. */
const answering = (
  options: readonly string[],
  more: Partial<DeliveryCase> & { readonly also?: string } = {},
): DeliveryCase => {
  const { also, ...rest } = more
  const given = options.join('\n  ')
  const usual = [
    ['to', 'NAME@reply.example'],
    ['from', 'me@x.example'],
    ['text', 'hi'],
  ].filter(([name]) => !new RegExp(`^ *${name}\\b`, 'm').test(given))
  return plain(
    `autoreply: ${also ?? options.join('; ')}`,
    `  driver = autoreply
  user = 64001
  group = 64001
${usual.map(([name, value]) => `  ${name} = ${value}\n`).join('')}  ${given}
`,
    rest,
  )
}

const answers: readonly DeliveryCase[] = [
  answering(['subject = re: $h_subject:', 'reply_to = r@x.example', 'headers = X-A: b\\nX-B: c']),
  answering(['cc = v@far.example', 'bcc = w@far.example']),
  answering(['to = $sender_address'], { from: 'NAME@reply.example' }),
  answering(['to = $sender_address'], { from: '<>', also: 'to = $sender_address, which is empty' }),
  answering(['to =']),
  answering(['to =', 'cc = NAME@reply.example'], { meant: 'a header with nothing in it is left out' }),
  answering(['to = bad bad']),
  answering(['to = NAME@reply.example, bad bad']),
  answering(['to = NAME']),
  answering(['to = Some One <NAME@reply.example> (comment)']),
  answering(['to = group: NAME@reply.example;']),
  answering(['to = "NAME@reply.example,\\n v@far.example"']),
  answering(['to = "NAME@reply.example\\nX-Bad: v@far.example"']),
  answering(['from ='], { meant: 'a header with nothing in it is left out' }),
  answering(['from = bad bad']),
  answering(['from = a@x.example, b@x.example']),
  answering(['from = Me <me>']),
  answering(['from = "me@x.example\\nBcc: v@far.example"']),
  answering(['reply_to ='], { meant: 'a header with nothing in it is left out' }),
  answering(['reply_to = bad bad']),
  answering(['subject = "one\\n two"']),
  answering(['subject = "one\\ntwo"']),
  answering(['subject = "one\\rtwo"']),
  answering(['subject = "one\\ttwo"']),
  answering(['subject = "one\\xe4two"'], { meant: 'a letter beyond ASCII bounces no mail' }),
  answering(['subject = Re: \\\n    folded']),
  answering([`subject = ${'x '.repeat(600)}`], { also: 'a long subject' }),
  answering(['subject = $h_subject:'], {
    also: 'the subject of the message is coded',
    message: usualMessage.replace('Hello world', '=?utf-8?Q?H=C3=A4llo?='),
    meant: 'a letter beyond ASCII bounces no mail',
  }),
  answering(['headers ='], { meant: 'the text begins where it begins' }),
  answering(['headers = no colon']),
  answering(['headers = "X-A: b\\n\\nX-B: c"']),
  answering(['headers = "X-A: b\\n c"']),
  answering(['headers = Subject: mine', 'subject = other']),
  answering(['headers = Auto-Submitted: no']),
  answering(['headers = Message-ID: <own@x.example>\\nDate: Mon, 30 Nov 2026 10:00:00 +0000']),
  answering(['headers = To: other@far.example']),
  answering(['headers = Content-Type: text/plain; charset=utf-8', 'text = "h\\xc3\\xa4"']),
  answering(['text =']),
  answering(['text = "one\\ntwo\\n"']),
  answering(['text = "one\\n.\\n..\\nFrom x\\n"']),
  answering(['text = "one\\r\\ntwo"']),
  answering(['text = $local_part']),
  answering(['text = $message_body']),
  answering(['file = DIR/text'], { files: { text: 'from the file\n' } }),
  answering(['file = DIR/text'], { also: 'a file without a line end', files: { text: 'from the file' } }),
  answering(['file = DIR/text'], { also: 'an empty file', files: { text: '' } }),
  answering(['file = DIR/none']),
  answering(['file = DIR/none', 'file_optional']),
  answering(['file = DIR/text/x', 'file_optional'], { files: { text: '' } }),
  answering(['file = DIR/text'], {
    also: 'a folder for a file',
    files: { 'text/': '' },
    meant: 'a folder is no text',
  }),
  answering(['file = DIR/text'], {
    also: 'a file that may not be read',
    files: { text: { text: 'x', mode: 0o600 } },
  }),
  answering(['file = DIR/text', 'file_optional'], {
    also: 'an optional file that may not be read',
    files: { text: { text: 'x', mode: 0o600 } },
  }),
  answering(['file = DIR/text', 'file_expand'], { files: { text: 'to $local_part\non $h_subject:\n' } }),
  answering(['file = DIR/text', 'file_expand'], {
    also: 'a file that cannot be expanded',
    files: { text: 'one\n${lc\n' },
  }),
  answering(['file = DIR/text', 'file_expand'], {
    also: 'a line of a file that is forced to fail',
    files: { text: 'one\n${if eq{1}{2}{x}fail}\nthree\n' },
  }),
  answering(['file = DIR/text', 'file_expand'], {
    also: 'an expansion over two lines of a file',
    files: { text: 'one ${if eq{1}{1}\n{x}}\n' },
  }),
  answering(['file = DIR/text', 'file_expand', 'return_message'], {
    also: 'a file with CRLF',
    files: { text: 'one $local_part\r\ntwo\r\n' },
  }),
  answering(['file = text']),
  answering(['file = text', 'file_optional']),
  answering(['file ='], { meant: 'no file is wanted' }),
  answering(['file = DIR/$local_part']),
  answering(['return_message']),
  answering(['return_message'], {
    meant: 'Exim gives back whole blocks of 8 KB, and counts the name of its file',
    also: 'a long message returned',
    message: `${usualHeaders}\n${long.repeat(3)}`,
  }),
  answering(['return_message', 'headers_remove = subject', 'headers_add = X-T: t']),
  answering(['return_message', 'body_only']),
  answering(['return_message', 'headers_only']),
  answering(['return_message', 'headers_rewrite = *@a.example $1@z.example fs']),
  answering(['return_message', 'return_path_add', 'envelope_to_add', 'delivery_date_add']),
  answering(['subject = x'], {
    also: 'a message with References and In-Reply-To',
    message: `References: <a@b>\n\t<c@d>\nIn-Reply-To: <c@d>\n${usualMessage}`,
  }),
  answering(['subject = x'], {
    also: 'a message with In-Reply-To alone',
    message: `In-Reply-To: <c@d>\n${usualMessage}`,
  }),
  answering(['subject = x'], {
    also: 'a message with many References',
    message: `References:${Array.from({ length: 20 }, (_, i) => ` <ref${i}@b.example>\n`).join('')}${usualMessage}`,
  }),
  answering(['subject = x'], {
    also: 'an answer to an answer',
    message: `Auto-Submitted: auto-replied\n${usualMessage}`,
  }),
  answering(['log = DIR/log', 'cc = v@far.example', 'subject = s', 'headers = X-A: b\\nX-B: c']),
  answering(['log = DIR/log', 'log = DIR/log2'].slice(0, 1), {
    also: 'a log that is there',
    files: { log: 'before\n' },
  }),
  answering(['log = DIR/none/log'], { meant: 'Exim says nothing of it' }),
  answering(['log =']),
  answering(['log = DIR/$local_part']),
  answering(['log = DIR/log', 'bcc = v@far.example']),
  answering(['once = DIR/vacation']),
  answering(['once = DIR/vacation', 'log = DIR/log'], both),
  answering(['once = DIR/vacation', 'log = DIR/log', 'once_repeat = 0s'], both),
  answering(['once = DIR/vacation', 'log = DIR/log', 'once_repeat = 7d'], both),
  answering(['once = DIR/vacation', 'log = DIR/log', 'once_repeat = ${if eq{1}{1}{7d}}'], both),
  answering(['once = DIR/vacation', 'once_repeat = ${if eq{1}{1}{x}}'], both),
  answering(['once = DIR/vacation', 'once_repeat = ${if eq{1}{2}{x}}'], both),
  answering(['once = DIR/vacation', 'once_repeat = ${lc'], both),
  answering(['once =', 'once_repeat = 7d'], both),
  answering(['once = DIR/none/vacation'], { ...both, meant: 'nothing is written there' }),
  answering(['once = DIR/$local_part'], both),
  answering(['once = DIR/vacation', 'log = DIR/log', 'to = NAME@reply.example, v@far.example'], both),
  answering(
    [
      'once = DIR/vacation',
      'log = DIR/log',
      'to = ${if eq{$local_part}{NAME}{NAME@reply.example}{NAME@REPLY.example}}',
    ],
    { ...both, meant: 'domains are the same in capitals' },
  ),
  answering(['once = DIR/vacation', 'to ='], both),
  answering(['once = DIR/vacation', 'never_mail = NAME@reply.example'], both),
  answering(['never_mail = NAME@reply.example']),
  answering(['never_mail = NAME@reply.example', 'log = DIR/log']),
  answering(['never_mail = NAME@reply.example', 'cc = v@far.example']),
  answering(['never_mail = v@far.example', 'to = NAME@reply.example, v@far.example, Some <w@far.example>']),
  answering(['never_mail = *@far.example', 'cc = v@far.example', 'bcc = w@far.example', 'log = DIR/log']),
  answering(['never_mail =']),
  answering(['never_mail = *']),
  answering(['never_mail = ${lc']),
  answering(['never_mail = ${if eq{1}{2}{x}fail}']),
  answering(['never_mail = lsearch;DIR/none'], { meant: 'Exim ends there, and freezes the message' }),
  answering(['never_mail = ^NAME']),
]

/** A server for LMTP in a few lines: the answers are those of the case, what came lies in `got`. */
const lmtpServer = (answers: Readonly<Record<string, string>> = {}): string => {
  const given: Record<string, string> = {
    LHLO: '250 far',
    MAIL: '250 ok',
    RCPT: '250 ok',
    DATA: '354 go',
    RSET: '250 ok',
    QUIT: '221 bye',
    ...answers,
  }
  const rows = Object.entries(given).filter(([name]) => !/^(connect|end)/.test(name))
  // The longest first: `RCPT TO:<c1-b` before `RCPT`.
  rows.sort(([a], [b]) => b.length - a.length)
  const act = (answer: string): string =>
    answer === 'drop' ? 'exit 0' : answer === 'hang' ? 'sleep 3' : `printf '%b\\r\\n' '${answer}'`
  const ends = [answers['end'] ?? '250 taken', answers['end2'] ?? '250 taken']
  return `#!/bin/sh
n=0
${act(answers['connect'] ?? '220 far')}${/^[45]/.test(answers['connect'] ?? '') ? '; exit 0' : ''}
while IFS= read -r line; do
  printf '%s\\n' "$line" >> DIR/got
  case "$line" in
  DATA*)
    ${act(given['DATA'] as string)}
    case '${given['DATA']}' in 354*) ;; *) continue;; esac
    while IFS= read -r line; do
      printf '%s\\n' "$line" >> DIR/got
      case "$line" in ".\r"|.) break;; esac
    done
    ${act(ends[0] as string)}
    [ $n -gt 1 ] && { ${act(ends[1] as string)}; }
    n=0;;
${rows
  .filter(([name]) => name !== 'DATA')
  .map(
    ([name, answer]) =>
      `  "${name}"*) ${name.startsWith('RCPT') && answer.startsWith('2') ? 'n=$((n+1)); ' : ''}${act(answer)}${name === 'QUIT' ? '; exit 0' : ''};;`,
  )
  .join('\n')}
  *) printf '500 what\\r\\n';;
  esac
done
`
}

const lmtpCase = (
  says: string,
  answers: Readonly<Record<string, string>> = {},
  options: readonly string[] = [],
  more: Partial<DeliveryCase> = {},
): DeliveryCase =>
  plain(
    `lmtp: ${says}`,
    `  driver = lmtp
${options.some((each) => /^(?:command|socket)/.test(each)) ? '' : '  command = /bin/sh DIR/server\n'}${options.some((each) => each.startsWith('timeout')) ? '' : '  timeout = 3s\n'}${options.map((each) => `  ${each}\n`).join('')}`,
    { files: { server: { text: lmtpServer(answers), mode: 0o755 } }, ...more },
  )
const batchOfTwo = ['batch_max = 10']

const quits = 'Exim counts bytes'
const noServer = 'the command that is not there is named'

const lmtp: readonly DeliveryCase[] = [
  lmtpCase('a message'),
  lmtpCase('two in a batch', {}, batchOfTwo, both),
  lmtpCase('two, one by one', {}, [], both),
  lmtpCase('one refused at RCPT', { 'RCPT TO:<NAME-b': '550 5.1.1 no b' }, batchOfTwo, both),
  lmtpCase('one put off at RCPT', { 'RCPT TO:<NAME-b': '450 4.2.1 not b' }, batchOfTwo, both),
  lmtpCase('all refused at RCPT', { RCPT: '550 nobody' }, batchOfTwo, both),
  lmtpCase('all put off at RCPT', { RCPT: '452 full' }, batchOfTwo, both),
  lmtpCase('one refused after the message', { end2: '550 not b' }, batchOfTwo, both),
  lmtpCase('one put off after the message', { end2: '450 not b' }, batchOfTwo, both),
  lmtpCase('refused after the message', { end: '552 5.2.2 over quota' }),
  lmtpCase('put off after the message', { end: '452 4.2.2 over quota' }),
  lmtpCase('refused with several lines', { end: '550-over\\r\\n550 quota' }),
  lmtpCase('taken with several lines', { end: '250-2.0.0 saved\\r\\n250 as 5' }),
  lmtpCase('greeted with 4xx', { connect: '421 busy' }),
  lmtpCase('greeted with 5xx', { connect: '554 away' }),
  lmtpCase('greeted with several lines', { connect: '220-far\\r\\n220 here' }),
  lmtpCase('greeted with nonsense', { connect: 'hello' }),
  lmtpCase('LHLO refused', { LHLO: '500 no' }),
  lmtpCase('LHLO put off', { LHLO: '450 no' }),
  lmtpCase('MAIL refused', { MAIL: '550 no' }),
  lmtpCase('MAIL put off', { MAIL: '450 no' }),
  lmtpCase('MAIL refused, two', { MAIL: '550 no' }, batchOfTwo, both),
  lmtpCase('DATA refused', { DATA: '554 no' }),
  lmtpCase('DATA put off', { DATA: '451 no' }),
  lmtpCase('DATA refused, two', { DATA: '554 no' }, batchOfTwo, both),
  lmtpCase('nonsense after MAIL', { MAIL: 'hello' }),
  lmtpCase('nonsense after RCPT', { RCPT: 'hello' }),
  lmtpCase('nonsense after DATA', { DATA: 'hello' }),
  lmtpCase('nonsense after the message', { end: 'hello' }),
  ...['connect', 'LHLO', 'MAIL', 'RCPT', 'DATA', 'end', 'QUIT'].map((at) =>
    lmtpCase(`closed at ${at}`, { [at]: 'drop' }),
  ),
  lmtpCase('silent at first', { connect: 'hang' }, ['timeout = 1s']),
  lmtpCase('silent after the message', { end: 'hang' }, ['timeout = 1s'], { meant: quits }),
  lmtpCase('closed between the answers', { end2: 'drop' }, batchOfTwo, both),
  lmtpCase('silent between the answers', { end2: 'hang' }, ['timeout = 1s', ...batchOfTwo], {
    ...both,
    meant: quits,
  }),
  lmtpCase('421 at RCPT', { RCPT: '421 away' }),
  lmtpCase('ignore_quota', { LHLO: '250-far\\r\\n250 IGNOREQUOTA' }, ['ignore_quota']),
  lmtpCase('ignore_quota that is not offered', {}, ['ignore_quota']),
  lmtpCase('SIZE and 8BITMIME', { LHLO: '250-far\\r\\n250-SIZE 1000\\r\\n250 8BITMIME' }),
  lmtpCase('lines with dots', {}, [], { message: fromLines }),
  lmtpCase('headers added and removed', {}, [
    'headers_add = X-A: $local_part',
    'headers_remove = subject',
    'return_path_add',
    'envelope_to_add',
    'delivery_date_add',
  ]),
  lmtpCase('a filter', {}, ['transport_filter = /bin/sed s/line/LINE/']),
  lmtpCase('a filter that fails', {}, ['transport_filter = /bin/false'], {
    meant: 'nobody is spoken to before the filter has ended well',
  }),
  lmtpCase('a null sender', {}, [], { from: '<>' }),
  lmtpCase('another return path', {}, ['return_path = other@z.example']),
  lmtpCase('an affix', {}, [], {
    to: 'NAME-x@x.example',
    routers: `NAME_r:
  driver = accept
  local_parts = NAME
  local_part_suffix = -*
  domains = x.example
  transport = NAME_t
  user = nobody
`,
  }),
  lmtpCase('rcpt_include_affixes', {}, ['rcpt_include_affixes'], {
    to: 'NAME-x@x.example',
    routers: `NAME_r:
  driver = accept
  local_parts = NAME
  local_part_suffix = -*
  domains = x.example
  transport = NAME_t
  user = nobody
`,
  }),
  ...[
    'command = /bin/false',
    'command = /bin/true',
    'command = /bin/sh -c "cat >/dev/null"',
    'command = ${lc',
    'command = ${if eq{1}{2}{x}fail}',
    'command = ${if eq{1}{2}{x}}',
    'command = "/bin/echo \'a b"',
    'socket = /nonexistent',
    'socket = DIR/server',
    'socket = relative',
    'socket = ${lc',
    'socket = ${if eq{1}{2}{x}fail}',
    'socket = ${if eq{1}{2}{x}}',
  ].map((option) => lmtpCase(option, {}, [option])),
  ...['command = /nonexistent/x', 'command = relative'].map((option) =>
    lmtpCase(option, {}, [option], { meant: noServer }),
  ),
  ...['command = $local_part', 'command = /bin/echo $local_part', 'socket = DIR/$local_part'].map((option) =>
    lmtpCase(option, {}, [option], { meant: 'what came from outside is no path; mail waits' }),
  ),
  lmtpCase(
    'PIPELINING is made use of',
    { LHLO: '250-far\\r\\n250 PIPELINING', RCPT: '550 nobody' },
    batchOfTwo,
    {
      ...both,
      meant: 'Exim speaks command by command',
    },
  ),
  ...['batch_id = ${lc', 'batch_id = ${if eq{1}{2}{x}fail}', 'batch_id = x', 'batch_id = $local_part'].map(
    (option) =>
      lmtpCase(option, {}, [option, ...batchOfTwo], {
        ...both,
        ...(/lc|fail/.test(option) && { meant: 'it is told of each address' }),
      }),
  ),
  lmtpCase('batch_max = 0', {}, ['batch_max = 0'], both),
  lmtpCase(
    'the local part in the command',
    {},
    ['command = /bin/sh DIR/server ${length_0:$local_part}', ...batchOfTwo],
    both,
  ),
]

const loop = 'Received: from one.example\n\tby two.example\n'
const loops: readonly DeliveryCase[] = [
  {
    says: 'more Received headers than received_headers_max',
    to: 'box@x.example',
    message: loop.repeat(30) + usualMessage,
  },
  {
    says: 'as many Received headers as received_headers_max',
    to: 'box@x.example',
    message: loop.repeat(29) + usualMessage,
  },
]

export const deliveryCases: readonly DeliveryCase[] = [
  ...filters,
  ...appendfile,
  ...batched,
  ...places,
  ...homes,
  ...unexpandable,
  ...pipe,
  ...redirections,
  ...skipped,
  ...goingOn,
  ...routerOptions,
  ...programs,
  ...manualRoutes,
  ...oddHosts,
  ...answers,
  ...lmtp,
  ...loops,
]
