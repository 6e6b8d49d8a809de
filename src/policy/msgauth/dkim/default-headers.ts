/** Headers that are signed when `dkim_sign_headers` does not say, and the same list oversigned. Source: Exim manual, "DKIM". */
const names = [
  'From',
  'Sender',
  'Reply-To',
  'Subject',
  'Date',
  'Message-ID',
  'To',
  'Cc',
  'MIME-Version',
  'Content-Type',
  'Content-Transfer-Encoding',
  'Content-ID',
  'Content-Description',
  'Resent-Date',
  'Resent-From',
  'Resent-Sender',
  'Resent-To',
  'Resent-Cc',
  'Resent-Message-ID',
  'In-Reply-To',
  'References',
  'List-Id',
  'List-Help',
  'List-Unsubscribe',
  'List-Subscribe',
  'List-Post',
  'List-Owner',
  'List-Archive',
] as const

/** `_DKIM_SIGN_HEADERS`. */
export const signHeaders: string = names.join(':')
/** `_DKIM_OVERSIGN_HEADERS`. */
export const oversignHeaders: string = names.map((name) => `+${name}`).join(':')
