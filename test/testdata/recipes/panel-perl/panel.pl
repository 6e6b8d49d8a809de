use strict;
our %sent;
our ($count, @seen, $why) = (0);
my %limits = ('busy@remote.example' => 1, 'jo@remote.example' => 3);
sub domains { my ($d) = @_; return $d =~ /^p\d\.example$/ ? $d : '' }
sub trusted { return 'relay@remote.example : *@partner.example' }
sub greeting { my ($h) = @_; return defined $h && $h ne '' ? "for $h" : 'for a local program' }
sub mail_acl { return $_[0] =~ /^192\.0\.2\./ ? 'friends' : 'strangers' }
sub blocked { my ($h) = @_; if ($h eq '203.0.113.66') { $why = "$h is on our list"; return 'yes' } return 'no' }
sub why_blocked { return $why }
sub class { return $_[0] =~ /^192/ ? 'office' : 'net' }
sub bad_helo { return $_[0] !~ /\./ ? 1 : 0 }
sub expands { my $r = Exim::expand_string($_[0]); return defined $r ? $r : 'forced' }
sub count { return ++$count }
sub nothing { return undef }
sub dies { die "no rule for $_[0]\n" }
sub deep { my ($n) = @_; return $n == 0 ? 'bottom' : "$n " . Exim::expand_string('${perl{deep}{' . ($n - 1) . '}}') }
sub no_relay { my ($l, $d) = @_; return "550 5.7.1 <$l\@$d>: relaying denied, said Perl" }
sub over_limit {
  my ($from, $class) = @_;
  $sent{$from}++;
  return 'no' if !exists $limits{$from} || $sent{$from} <= $limits{$from};
  Exim::log_write("over: $from has $sent{$from} of $limits{$from} as $class");
  Exim::expand_string('${acl{set_why}}') if 0;
  return 'yes';
}
sub limit { return $limits{$_[0]} // 'none' }
sub unknown { my ($m) = @_; return 'nobody here' . (defined $m && $m ne '' ? " ($m)" : '') }
sub header { my ($s, $n) = @_; $s =~ tr/a-z/A-Z/; return "$s; $n; " . Exim::expand_string('$sender_address') }
sub score { my ($b) = @_; my $n = () = $b =~ /casino|viagra/gi; @seen = map { lc } $b =~ /casino|viagra/gi; return $n * 3 }
sub explain_score { return join ', ', @seen }
sub caller_blocked { return $_[0] == 65534 }
sub summary { return "session: $count counted, " . join(' ', map { "$_=$sent{$_}" } sort keys %sent) }
sub redirect {
  my ($l, $d) = @_;
  return undef if $l eq 'plain';
  return "anna\@$d, ben\@$d" if $l eq 'both';
  return ':fail: gone, said Perl' if $l eq 'gone';
  return ':defer: later' if $l eq 'later';
  return ':blackhole:' if $l eq 'hole';
  return 'HOME/mail/direct' if $l eq 'file';
  return '|/bin/sh -c "cat >> HOME/mail/piped; echo $LEVEL >> HOME/mail/piped"' if $l eq 'pipe';
  return "far\@remote.example" if $l eq 'far';
  return '';
}
sub local_parts { return 'anna : ben : plain : ^box[0-9]+\$' }
sub box_data { my ($l, $d) = @_; return "user=$l domain=$d quota=" . ($l eq 'ben' ? '1' : '10M') }
sub file_name { return Exim::expand_string('${extract{user}{$address_data}}') . '.box' }
sub box_header { return "X-Box: $_[0]\nX-Count: " . ++$count }
sub quota { return Exim::expand_string("\${extract{quota}{$_[0]}}") }
sub route { my ($d) = @_; return $d eq 'remote.example' ? '198.51.100.10' : $d eq 'forced.example' ? undef : '' }
sub helo_data { return "out.$_[0]" }
sub rewrite { my ($l, $d) = @_; return lc($l) . '@shop.example' }
warn "panel loaded\n" if $ENV{PANEL_TALKS};
1;
