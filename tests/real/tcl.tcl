# What the Tcl test keeps: 10,000 records in arrays and dictionaries, procedures, classes, coroutines.

set names {oak elm fir yew ash lime pine rowan}
namespace eval forest {
    namespace export *
    namespace ensemble create
    variable count 0
    proc record id {
        variable count
        incr count
        set h [expr {$id * 2654435761 & 0xffffffff}]
        set name [lindex $::names [expr {($h >> 16) % 8}]]-$id
        dict create id $id name $name score [expr {$h / 1000.0}]
    }
    proc show r {
        dict with r { format "%d %s %.3f" $id $name $score }
    }
    proc grown {} { variable count; return $count }
}

proc insert r {
    global by_name by_tag records
    lappend records $r
    set by_name([dict get $r name]) [dict get $r id]
    dict incr by_tag [string range [dict get $r name] 0 2]
}
for {set id 1} {$id <= 10000} {incr id} { insert [forest::record $id] }

# Things that a program has lying about: objects, coroutines half way through, traces, a child
# interpreter, compiled expressions and patterns, numbers of all kinds, encodings.
oo::class create Animal {
    variable name legs
    constructor {n {l 4}} { set name $n; set legs $l }
    method describe {} { return "[my kind] $name on $legs legs" }
    method kind {} { return animal }
    method rename to { set name $to }
    destructor { lappend ::gone $name }
}
oo::class create Dog {
    superclass Animal
    method kind {} { return "dog, an [next]" }
    method unknown {what args} { return "no $what" }
}
oo::class create Loud {
    method describe {} { string toupper [next] }
}
set gone {}
for {set i 0} {$i < 50} {incr i} { Dog create dog$i rex$i [expr {$i % 5}] }
oo::objdefine dog7 { mixin Loud; method only {} { return seven } }

proc walk {} {
    global records
    set first [yield ready]
    for {set i $first} {$i < [llength $records]} {incr i 5000} {
        set got [yield [dict get [lindex $records $i] name]]
        if {$got ne ""} { set first $got }
    }
    return "end $first"
}
coroutine walker walk
set walked [walker 7]
proc down n { if {$n == 0} { return [info level] }; down [expr {$n - 1}] }
coroutine deep apply {{} { set n [yield]; while 1 { set n [yield [down $n]] } }}
deep 3

set traced {}
proc tracer {name index op} { lappend ::traced $name $index $op }
set watched 1
trace add variable watched {write unset} tracer
trace add command forest::grown {rename delete} {apply {args {lappend ::traced gone}}}
array set watched_array {a 1 b 2}
trace add variable watched_array write tracer

set child [interp create -safe]
interp alias $child up {} apply {{args} { return "parent [llength $args]" }}
$child eval { proc twice x { expr {$x * 2} }; set here [list 1 2 [up a b]] }

set big [expr {2 ** 200 + 12345}]
set long [string repeat 0123456789abcdef 512]
set unicode "na\u00efve \u20ac \u4e2d\u6587"
set pattern {^(\w+)-(\d)(\d)\2$}
set match [regexp -inline $pattern oak-121]
proc where {} { dict get [info frame 0] line }
proc long_body {} {
    set x 1
    set y [dict get [info frame 0] line]
    eval { set z [dict get [info frame 0] type] }
    list $x $y $z
}
set lambda {{x y} { expr {$x * $y + [dict get [info frame 0] level] * 0} }}
set applied [apply $lambda 6 7]
set moment [clock format 1000000000 -gmt 1 -format "%Y-%m-%d %H:%M:%S"]
encoding convertto iso8859-1 $unicode
set fixed [expr {srand(1)}]

proc sum text {
    set s 0
    foreach c [split $text ""] { set s [expr {($s * 31 + [scan $c %c]) % 1000000007}] }
    return $s
}
proc caught script {
    if {[catch {uplevel 1 $script} result options]} {
        return "error: $result ([dict get $options -errorcode])"
    }
    return "fine: $result"
}

proc answer {} {
    global records by_name by_tag names
    set out {}
    lappend out "records [llength $records] tags $by_tag"
    foreach id {8 4711 9999} {
        set name [lindex $names [expr {(($id * 2654435761 & 0xffffffff) >> 16) % 8}]]-$id
        set has [info exists by_name($name)]
        lappend out "lookup $name: [expr {$has ? $by_name($name) : {none}}] [info exists by_name($name!)]"
    }
    lappend out "show [forest show [lindex $records 4321]] of [forest::grown]"
    lappend out "array [array size by_name] [sum [lrange [lsort [array names by_name *77*]] 0 300]]"
    set total 0
    foreach r $records { set total [expr {$total + [dict get $r score]}] }
    lappend out [format "total %.3f" $total]
    set some [lsort -real -decreasing [lmap r [lrange $records 0 2000] { dict get $r score }]]
    lappend out "sorted [lindex $some 0] [lindex $some end] [lsearch -sorted -real -decreasing $some [lindex $some 77]]"
    lappend out "objects [caught { llength [info class instances Dog] }] [caught { dog7 describe }]"
    lappend out "methods [caught { dog8 describe }] [caught { dog9 fly }] [caught { dog7 only }]"
    lappend out "match $::match [regexp -inline $::pattern elm-343] [regsub -all {\w+} "two words" <&>]"
    lappend out "walked $::walked deep [deep 5]"
    lappend out "child [$::child eval {twice 21}] [$::child eval {set here}] [interp children]"
    lappend out "numbers $::big [expr {$::big % 97}] [expr {1e300 * 10}] [expr {double(7) / 3}]"
    lappend out "text [sum $::long] [string length $::unicode] [string toupper $::unicode] [string map {a X 3 YY} abc123]"
    lappend out "bytes [binary encode hex [encoding convertto utf-8 $::unicode]] [binary scan \x01\x02 S v]$v"
    lappend out "frames [where] [long_body] [apply $::lambda 3 4] $::applied"
    lappend out "clock $::moment [clock format 86400 -gmt 1] [clock add 0 1 month -gmt 1]"
    lappend out "commands [sum [lsort [info commands]]] [sum [lsort [info procs]]] [namespace children ::tcl]"
    lappend out "args [info args insert] [sum [info body insert]] [caught { sum [info class definition Animal rename] }]"
    lappend out "traced $::traced [trace info variable ::watched] gone $::gone"
    lappend out "channels [lsort [chan names]] encodings [encoding system] [llength [encoding names]]"
    lappend out [caught { list fine }] [caught { nosuch command }]
    join $out \n
}

proc mutate {} {
    global records by_name by_tag watched watched_array env
    set out {}
    lappend out "random [expr {rand()}] [expr {int(rand() * 1000)}]"
    set kept {}
    foreach r $records {
        if {[dict get $r id] % 3} { lappend kept $r } else { unset by_name([dict get $r name]) }
    }
    set records $kept
    for {set id 10001} {$id <= 14000} {incr id} { insert [forest::record $id] }
    lappend out "kept [llength $records] [array size by_name]"
    for {set i 0} {$i < 1000} {incr i} {
        set n [expr {int(rand() * [llength $records])}]
        lset records $n [dict replace [lindex $records $n] extra [list $i [string repeat x $i]]]
    }
    dict unset by_tag oak
    lappend out "walker [walker 9] [walker] [walker] [info coroutine]"
    lappend out [caught { walker } ] [caught { walker }] [caught { walker }]
    set watched 2
    set watched_array(c) 3
    unset watched
    rename forest::grown forest::was
    rename forest::was {}
    lappend out "traced $::traced"
    # errors of all kinds
    lappend out [caught { error why {} {A CODE} }] [caught { expr {1 / 0} }] [caught { open /nonexistent/file }]
    lappend out [caught { lindex {a b} "x" }] [caught { dict get {a 1} b }] [caught { string repeat x 1e99 }]
    lappend out [caught { proc deep2 {} { deep2 }; deep2 }] [caught { expr {"a" + 1} }] [caught { regexp {(} x }]
    lappend out [caught { dog3 describe too many }] [caught { Dog create dog3 x }] [caught { interp eval nowhere {} }]
    lappend out [caught { try { throw {MY OWN} text } trap {MY OWN} m { set m } finally { set ::finally 1 } }]
    lappend out [sum [regsub -all {0x[0-9a-f]+} [lindex [list [catch { down x } r] $::errorInfo] 1] N]]
    # environment, files, time, a process, events
    set env(TURF_TCL) "a value of [llength $records]"
    lappend out "environment $env(TURF_TCL) [info exists env(TURF_NONE)] [exec sh -c {echo $TURF_TCL}]"
    unset env(TURF_TCL)
    lappend out "unset [exec sh -c {echo ${TURF_TCL-none}}]"
    set f [file tempfile path]
    fconfigure $f -encoding utf-8
    puts $f "$::unicode\n[string range $::long 0 99]"
    seek $f 0
    lappend out "file [gets $f] [string length [read $f]] [eof $f]"
    close $f
    file delete $path
    set ::ticks 0
    foreach n {1 2 3} { after $n { incr ::ticks } }
    after 20 { set ::done 1 }
    vwait ::done
    lappend out "events $::ticks [after info]"
    lassign [chan pipe] in to
    fconfigure $to -buffering line
    fileevent $in readable [list apply {{in} { lappend ::heard [gets $in]; set ::done 2 }} $in]
    puts $to "through a pipe"
    vwait ::done
    close $in
    close $to
    lappend out "heard $::heard"
    # objects, classes, interpreters, coroutines
    oo::define Animal { method rename {to {how quietly}} { set name "$to $how" } }
    dog1 rename max
    for {set i 0} {$i < 50} {incr i 2} { dog$i destroy }
    lappend out "gone [llength $::gone] [dog1 describe]"
    for {set i 0} {$i < 300} {incr i} { Dog create new$i n$i; proc made$i x "expr {\$x + $i}"; made$i 1 }
    oo::objdefine dog7 mixin
    lappend out "dog7 [dog7 describe] made [made7 3]"
    for {set i 0} {$i < 300} {incr i 3} { new$i destroy; rename made$i {} }
    Animal destroy
    lappend out "after [info commands Dog] [llength $::gone]"
    $::child eval { rename twice {}; set many [lrepeat 1000 x] }
    lappend out "child [caught { $::child eval { twice 1 } }] [interp eval $::child { llength $many }]"
    interp delete $::child
    set ::child [interp create]
    $::child eval { proc twice x { return "$x $x" }; set here now; proc up {} {} }
    set generated {}
    coroutine numbers apply {{} { yield; for {set i 0} {$i < 1000} {incr i} { yield [format %x [expr {$i * $i}]] } }}
    while {[llength [info commands numbers]]} { lappend generated [numbers] }
    lappend out "generated [llength $generated] [sum $generated]"
    proc walk {} { return changed }
    proc long_body {} { return "a new body [dict get [info frame 0] line]" }
    coroutine walker apply {{} { yield again; yield $::names }}
    set ::walked [walker]
    append ::long more
    set ::long [string reverse $::long]
    for {set i 0} {$i < 5000} {incr i} { set late($i) [list $i $i]; set ::late$i $i }
    for {set i 0} {$i < 5000} {incr i 2} { unset late($i); unset ::late$i }
    for {set i 0} {$i < 100} {incr i} { regexp "a{$i}b" aaab; expr "$i + 1"; eval "set x$i [list $i]" }
    lappend out "late [array size late] [info exists ::late7] [info exists ::late8]"
    namespace eval other { proc f {} { return other }; namespace export f }
    namespace import other::f
    lappend out "namespaces [f] [namespace origin f]"
    namespace delete other forest
    namespace eval forest { proc record id { dict create id $id name none score 0.0 }; proc grown {} { return new }; proc show r { return $r }; namespace export *; namespace ensemble create }
    lappend out "deleted [caught f] [forest record 3]"
    package require msgcat
    package require http
    lappend out "packages [lsort [package names]]"
    lappend out "clock [clock scan {2001-02-03 04:05:06} -gmt 1] [clock format 981173106 -gmt 1 -format %c -locale de]"
    lappend out "zlib [string length [zlib compress $::long]] [zlib crc32 $::long] [zlib gunzip [zlib gzip abc]]"
    join $out \n
}

# What must not be the same in two processes.
proc fresh {} {
    set f [open /dev/urandom rb]
    set seed [scan [binary encode hex [read $f 4]] %x]
    close $f
    expr {srand($seed)}
}
