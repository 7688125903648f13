"""CPU features as traits (os-traits names), by libvirt's feature names."""

from __future__ import annotations

from collections.abc import Iterable

_X86 = {
    "avx": "AVX", "avx2": "AVX2", "pclmuldq": "CLMUL", "pclmulqdq": "CLMUL", "f16c": "F16C", "fma": "FMA3", "fma4": "FMA4",
    "mmx": "MMX", "sse": "SSE", "sse2": "SSE2", "pni": "SSE3", "ssse3": "SSSE3", "sse4.1": "SSE41", "sse4.2": "SSE42",
    "sse4a": "SSE4A", "xop": "XOP", "3dnow": "3DNOW", "abm": "ABM", "bmi1": "BMI", "bmi2": "BMI2", "tbm": "TBM", "aes": "AESNI",
    "sha-ni": "SHA", "mpx": "MPX", "hle": "TSX", "rtm": "TSX", "pdpe1gb": "PDPE1GB", "stibp": "STIBP",
    "avx512f": "AVX512F", "avx512cd": "AVX512CD", "avx512pf": "AVX512PF", "avx512er": "AVX512ER", "avx512vl": "AVX512VL",
    "avx512bw": "AVX512BW", "avx512dq": "AVX512DQ", "avx512vnni": "AVX512VNNI", "avx512vbmi": "AVX512VBMI",
    "avx512ifma": "AVX512IFMA", "avx512vbmi2": "AVX512VBMI2", "avx512bitalg": "AVX512BITALG", "vaes": "AVX512VAES",
    "gfni": "AVX512GFNI", "vpclmulqdq": "AVX512VPCLMULQDQ", "avx512-vpopcntdq": "AVX512VPOPCNTDQ",
    "svm": "AMD_SVM", "ibpb": "AMD_IBPB", "amd-ssbd": "AMD_SSBD", "virt-ssbd": "AMD_VIRT_SSBD", "amd-no-ssb": "AMD_NO_SSB",
    "vmx": "INTEL_VMX", "md-clear": "INTEL_MD_CLEAR", "pcid": "INTEL_PCID", "spec-ctrl": "INTEL_SPEC_CTRL", "ssbd": "INTEL_SSBD",
}


def traits(features: Iterable[str], architecture: str) -> set[str]:
    """Answer the traits which these CPU features amount to. Features without a trait are left out."""
    if architecture not in ("x86_64", "i686"):
        return set()
    return {f"HW_CPU_X86_{_X86[name]}" for name in features if name in _X86}
