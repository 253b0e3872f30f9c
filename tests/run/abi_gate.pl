#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# abi_gate.pl HEADER...: complains about each named struct or union without
# ABI_SIZE, and each member after the first of a struct without ABI_AT.

use strict;
use warnings;

for my $file (@ARGV) {
    open my $in, '<', $file or die "$file: $!\n";
    my $text = join '', <$in>;
    close $in;
    $text =~ s{/\*.*?\*/}{}gs;
    $text =~ s{^\s*#.*?(?<!\\)$}{}gms;

    my (%sized, %placed);
    $sized{"$1"} = 1 while $text =~ /\bABI_SIZE\s*\(\s*([\w ]+?)\s*,/g;
    $placed{"$1.$2"} = 1
        while $text =~ /\bABI_AT\s*\(\s*([\w ]+?)\s*,\s*([\w.]+)/g;

    while ($text =~ /\b(typedef\s+)?(struct|union)\s+(\w+)\s*(\{(?:[^{}]|(?4))*\})\s*(\w*)/g) {
        my ($kind, $tag, $body, $alias) = ($2, $3, $4, $1 ? $5 : '');
        my @names = ("$kind $tag", $alias ? $alias : ());
        print "$file: $kind $tag has no ABI_SIZE\n"
            unless grep { $sized{$_} } @names;
        next if $kind eq 'union';
        # Only the struct's own members: what lies deeper has its own name.
        $body =~ s/^\{|\}$//g;
        1 while $body =~ s/\{[^{}]*\}//g;
        my @members = map { /(\w+)\s*(?:\[[^;]*\])?\s*$/ ? $1 : () }
            split /;/, $body;
        shift @members;
        for my $member (@members) {
            next if $member eq 'struct' || $member eq 'union';
            print "$file: $kind $tag: $member has no ABI_AT\n"
                unless grep { $placed{"$_.$member"} } @names;
        }
    }
}
