;; What src/native/simd.ts runs, in the memory that all handles read into: masking (RFC 6455 5.3), and fragments (5.4).
;;
;; Assembled by `node scripts/assemble.mjs` into simd-binary.ts. Addresses are bytes of this memory, `end` is the first byte
;; that does not belong to a range, and a key is 32 bits with its first octet lowest, as WebAssembly lays out numbers. The
;; callers keep every range inside the memory: a wrong one traps, and writes nothing outside.
(module
  ;; 6 pages of 64 KiB, and never more, so that views of it stay valid:
  ;;   0       16 bytes for results, and else nothing, so that an address minus 64 is never below 0
  ;;   65536   256 KiB that all handles read into
  ;;   327680  64 KiB through which bytes of other memory go
  (memory (export "memory") 6 6)

  ;; Masks or unmasks the bytes from $at to $end, and writes them to $to: the same place, or any place before it, or one that
  ;; does not overlap. @returns 0 if every byte written is below 0x80
  (func $mask (param $to i32) (param $at i32) (param $end i32) (param $key i32) (result i32)
    (local $keys v128)
    (local $seen v128)
    (local $bytes v128)
    (local $long i64)
    (local $rest i64)
    (local $stop i32)

    ;; Four times the key, which repeats every four bytes: so it is in step after 64, 16, 8 and 4 bytes alike.
    (local.set $keys (i32x4.splat (local.get $key)))

    ;; 64 bytes a round, as long as there are as many. $seen gathers the bits of all bytes that were written.
    (local.set $stop (i32.sub (local.get $end) (i32.const 64)))
    (block $less_than_64
      (loop $round_of_64
        (br_if $less_than_64 (i32.gt_u (local.get $at) (local.get $stop)))
        (local.set $bytes (v128.xor (v128.load (local.get $at)) (local.get $keys)))
        (v128.store (local.get $to) (local.get $bytes))
        (local.set $seen (v128.or (local.get $seen) (local.get $bytes)))
        (local.set $bytes (v128.xor (v128.load offset=16 (local.get $at)) (local.get $keys)))
        (v128.store offset=16 (local.get $to) (local.get $bytes))
        (local.set $seen (v128.or (local.get $seen) (local.get $bytes)))
        (local.set $bytes (v128.xor (v128.load offset=32 (local.get $at)) (local.get $keys)))
        (v128.store offset=32 (local.get $to) (local.get $bytes))
        (local.set $seen (v128.or (local.get $seen) (local.get $bytes)))
        (local.set $bytes (v128.xor (v128.load offset=48 (local.get $at)) (local.get $keys)))
        (v128.store offset=48 (local.get $to) (local.get $bytes))
        (local.set $seen (v128.or (local.get $seen) (local.get $bytes)))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (local.set $to (i32.add (local.get $to) (i32.const 64)))
        (br $round_of_64)))

    ;; 16 bytes a round: at most three.
    (local.set $stop (i32.sub (local.get $end) (i32.const 16)))
    (block $less_than_16
      (loop $round_of_16
        (br_if $less_than_16 (i32.gt_u (local.get $at) (local.get $stop)))
        (local.set $bytes (v128.xor (v128.load (local.get $at)) (local.get $keys)))
        (v128.store (local.get $to) (local.get $bytes))
        (local.set $seen (v128.or (local.get $seen) (local.get $bytes)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (br $round_of_16)))

    ;; What is left are 0 to 15 bytes: 8, 4, 2 and 1, by the bits of their number. $rest gathers their bits.
    (local.set $stop (i32.sub (local.get $end) (local.get $at)))
    (if (i32.and (local.get $stop) (i32.const 8))
      (then
        (local.set $long (i64.xor (i64.load (local.get $at)) (i64x2.extract_lane 0 (local.get $keys))))
        (i64.store (local.get $to) (local.get $long))
        (local.set $rest (local.get $long))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (local.set $to (i32.add (local.get $to) (i32.const 8)))))
    (if (i32.and (local.get $stop) (i32.const 4))
      (then
        (local.set $long (i64.extend_i32_u (i32.xor (i32.load (local.get $at)) (local.get $key))))
        (i64.store32 (local.get $to) (local.get $long))
        (local.set $rest (i64.or (local.get $rest) (local.get $long)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $to (i32.add (local.get $to) (i32.const 4)))))
    (if (i32.and (local.get $stop) (i32.const 2))
      (then
        (local.set $long
          (i64.extend_i32_u
            (i32.and (i32.xor (i32.load16_u (local.get $at)) (local.get $key)) (i32.const 0xffff))))
        (i64.store16 (local.get $to) (local.get $long))
        (local.set $rest (i64.or (local.get $rest) (local.get $long)))
        ;; A last byte has the third octet of the key.
        (local.set $key (i32.shr_u (local.get $key) (i32.const 16)))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (local.set $to (i32.add (local.get $to) (i32.const 2)))))
    (if (i32.and (local.get $stop) (i32.const 1))
      (then
        (local.set $long
          (i64.extend_i32_u
            (i32.and (i32.xor (i32.load8_u (local.get $at)) (local.get $key)) (i32.const 0xff))))
        (i64.store8 (local.get $to) (local.get $long))
        (local.set $rest (i64.or (local.get $rest) (local.get $long)))))

    ;; The highest bit of each byte.
    (i32.or
      (i8x16.bitmask (local.get $seen))
      (i64.ne (i64.and (local.get $rest) (i64.const 0x8080808080808080)) (i64.const 0))))

  (export "mask" (func $mask))

  ;; Walks continuation frames (RFC 6455 5.4) that lie whole between $at and $end, one after the other, and joins their payloads,
  ;; unmasked, at $at: over headers and payloads that are done with. It ends after a last fragment, and before whatever
  ;; else: another opcode, a reserved bit, a wrong mask bit, a length of more than 16 bits or not in the shortest form, a
  ;; frame that is cut, one of more than $max_frame bytes, one that makes the message longer than $budget allows. Those are
  ;; left to the parser, which knows what they are. Writes four numbers to address 0: where it ended, where the joined
  ;; payloads end, 0x80 if the last fragment was among them, 0 if all bytes are below 0x80. @returns the number of frames
  (func (export "join") (param $at i32) (param $end i32) (param $mask_bit i32) (param $max_frame i32) (param $budget i32)
    (result i32)
    (local $to i32)
    (local $first i32)
    (local $length i32)
    (local $start i32)
    (local $stop i32)
    (local $key i32)
    (local $seen i32)
    (local $frames i32)
    (local $last i32)
    (local.set $to (local.get $at))
    (block $done
      (loop $next
        ;; The first two bytes: nothing but FIN may be set in the first.
        (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const 2)) (local.get $end)))
        (local.set $first (i32.load8_u (local.get $at)))
        (br_if $done (i32.and (local.get $first) (i32.const 0x7f)))
        ;; A wrong mask bit makes the length 128 or more.
        (local.set $length (i32.xor (i32.load8_u offset=1 (local.get $at)) (local.get $mask_bit)))
        (local.set $start (i32.add (local.get $at) (i32.const 2)))
        (if (i32.gt_u (local.get $length) (i32.const 125))
          (then
            (br_if $done (i32.ne (local.get $length) (i32.const 126)))
            (br_if $done (i32.gt_u (i32.add (local.get $start) (i32.const 2)) (local.get $end)))
            (local.set $length
              (i32.or
                (i32.shl (i32.load8_u (local.get $start)) (i32.const 8))
                (i32.load8_u offset=1 (local.get $start))))
            (br_if $done (i32.lt_u (local.get $length) (i32.const 126)))
            (local.set $start (i32.add (local.get $start) (i32.const 2)))))
        (if (local.get $mask_bit)
          (then
            ;; A key that is cut makes the frame end after $end as well: it is only not used then.
            (local.set $key (i32.load (local.get $start)))
            (local.set $start (i32.add (local.get $start) (i32.const 4)))))
        (local.set $stop (i32.add (local.get $start) (local.get $length)))
        (br_if $done (i32.gt_u (local.get $stop) (local.get $end)))
        (br_if $done (i32.gt_u (local.get $length) (local.get $max_frame)))
        (br_if $done (i32.gt_u (local.get $length) (local.get $budget)))
        ;; It is a frame, and the last one if FIN is set.
        (local.set $last (local.get $first))
        (local.set $budget (i32.sub (local.get $budget) (local.get $length)))
        (local.set $seen
          (i32.or
            (local.get $seen)
            (call $mask (local.get $to) (local.get $start) (local.get $stop) (local.get $key))))
        (local.set $to (i32.add (local.get $to) (local.get $length)))
        (local.set $at (local.get $stop))
        (local.set $frames (i32.add (local.get $frames) (i32.const 1)))
        (br_if $next (i32.eqz (local.get $first)))))
    (i32.store (i32.const 0) (local.get $at))
    (i32.store offset=4 (i32.const 0) (local.get $to))
    (i32.store offset=8 (i32.const 0) (local.get $last))
    (i32.store offset=12 (i32.const 0) (local.get $seen))
    (local.get $frames)))
