/**
 * The Perl program that runs the subroutines of `perl_startup`. It obeys that code once, listens on a socket, and makes a copy of
 * itself for each connection, so that each session and each message finds the state that the code has left, as in Exim.
 *
 * On its standard streams, and on each connection, pieces go in both directions: a length (four bytes, the most significant first), a
 * letter, and so many bytes less one.
 *
 *   to Perl:    first the code (letter 1: its files are looked at for changes; 0: not); then on a connection C a call: name and
 *               arguments, each with its length before it; V, F, E what came of an expansion: its value, a forced failure, a mistake
 * Without a path for its socket it only obeys the code.
 *
 *   from Perl:  on the standard output O it listens, B the code is broken; on a connection P process number, S files of the code have
 *               changed: begin anew; R value, U undef, D the words of `die`; X text to be expanded; L line for the log, G text for debugging
 */
export const perlProgram = String.raw`#line 1 "exim_perl"
sub Exim::_start { package main; no strict; no warnings; eval "\$Exim::_compiled = 1;\n#line 1 \"-e\"\n$_[0]\n"; }
package Exim::_;
use strict;
use Socket;
use Errno;
our ($out, $in, %seen);

sub put {
  my ($letter, $text) = @_;
  utf8::encode($text) if utf8::is_utf8($text);
  my $bytes = pack('N', 1 + length $text) . $letter . $text;
  while (length $bytes) {
    my $done = syswrite $out, $bytes;
    next if !defined $done && $!{EINTR};
    CORE::exit(0) unless defined $done;
    substr($bytes, 0, $done) = '';
  }
}

sub take {
  my ($wanted) = @_;
  my $bytes = '';
  while (length $bytes < $wanted) {
    my $got = sysread $in, $bytes, $wanted - length $bytes, length $bytes;
    next if !defined $got && $!{EINTR};
    CORE::exit(0) unless $got;
  }
  # For Perl's taint mode: what Exim hands over is not tainted.
  $bytes =~ /^(.*)$/s;
  return $1;
}

sub piece {
  my $bytes = take(unpack 'N', take(4));
  return (substr($bytes, 0, 1), substr($bytes, 1));
}

sub call {
  my ($name, @arguments) = unpack '(N/a)*', $_[0];
  my ($value, $error);
  {
    local $@;
    $value = eval { package main; no strict 'refs'; scalar &$name(@arguments) };
    $error = $@;
  }
  if (defined $error && $error ne '') {
    $error =~ s/^(Undefined subroutine &\S*) called at exim_perl line \d+\.$/$1 called./;
    put('D', "$error");
  }
  elsif (!defined $value) { put('U', '') }
  else { put('R', "$value") }
}

sub Exim::expand_string {
  my ($text) = @_;
  put('X', defined $text ? "$text" : '');
  while (1) {
    my ($letter, $bytes) = piece();
    if ($letter eq 'C') { call($bytes) }
    elsif ($letter eq 'V') { return $bytes }
    elsif ($letter eq 'F') { return undef }
    else {
      my (undef, $file, $line) = caller;
      $bytes .= " at $file line $line.\n" unless $bytes =~ /\n\z/;
      die "syntax error in Exim::expand_string argument: $bytes";
    }
  }
}

sub Exim::log_write { put('L', "$_[0]") }
sub Exim::debug_write { put('G', join('', @_)) }

# Files of the code, not those of Perl's own folders.
sub files {
  my %files;
  for my $file (values %INC) {
    next if !defined $file || grep { !ref && index($file, "$_/") == 0 } @INC;
    $files{$file} = join ' ', (stat $file)[0, 1, 7, 9];
  }
  return \%files;
}

sub changed {
  my $now = files();
  return grep { !defined $seen{$_} || $seen{$_} ne $now->{$_} } keys %$now;
}

sub main {
  my ($path) = $ARGV[0] =~ /^(.*)$/s;
  @ARGV = ();
  $0 = '/dev/null';
  open($in, '<&', \*STDIN) && open($out, '>&', \*STDOUT) or CORE::exit(1);
  open STDIN, '<', '/dev/null';
  open STDOUT, '>', '/dev/null';
  $SIG{__WARN__} = sub { my $text = join '', @_; $text =~ s/\n\z//; put('L', $text) };
  my ($watched, $startup) = piece();
  Exim::_start($startup);
  if ($@ && !$Exim::_compiled) { put('B', 'Compilation error'); CORE::exit(1) }
  $@ = '';
  if ($path eq '') { put('O', ''); CORE::exit(0) }
  %seen = %{files()};
  my $listener;
  socket($listener, AF_UNIX, SOCK_STREAM, 0) && bind($listener, pack_sockaddr_un($path)) && listen($listener, 128)
    or do { put('B', "$path: $!"); CORE::exit(1) };
  put('O', '');
  $SIG{CHLD} = 'IGNORE';
  while (1) {
    my $ready = '';
    vec($ready, fileno $_, 1) = 1 for $listener, $in;
    next if select($ready, undef, undef, undef) < 0;
    # Whoever started this is gone.
    CORE::exit(0) if vec($ready, fileno $in, 1);
    next unless accept(my $connection, $listener);
    my $child = fork;
    if (defined $child && $child == 0) {
      close $listener;
      $SIG{CHLD} = 'DEFAULT';
      $in = $out = $connection;
      srand;
      if ($watched && changed()) { put('S', ''); CORE::exit(0) }
      put('P', $$);
      while (1) { my ($letter, $bytes) = piece(); call($bytes) if $letter eq 'C' }
    }
    close $connection;
  }
}
main();
`
