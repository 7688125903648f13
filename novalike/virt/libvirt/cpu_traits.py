"""CPU features as traits (os-traits names), by libvirt's feature names."""

from __future__ import annotations

from collections.abc import Iterable

_X86 = {
    "avx": "AVX", "avx2": "AVX2", "clmul": "CLMUL", "pclmuldq": "CLMUL", "pclmulqdq": "CLMUL", "f16c": "F16C", "fma": "FMA3",
    "fma4": "FMA4", "mmx": "MMX", "sse": "SSE", "sse2": "SSE2", "pni": "SSE3", "sse3": "SSE3", "ssse3": "SSSE3", "sse4.1": "SSE41",
    "sse4.2": "SSE42", "sse4a": "SSE4A", "xop": "XOP", "3dnow": "3DNOW", "abm": "ABM", "bmi1": "BMI", "bmi2": "BMI2", "tbm": "TBM",
    "aes": "AESNI", "sha-ni": "SHA", "avx512f": "AVX512F", "avx512cd": "AVX512CD", "avx512pf": "AVX512PF", "avx512er": "AVX512ER",
    "avx512vl": "AVX512VL", "avx512bw": "AVX512BW", "avx512dq": "AVX512DQ", "avx512ifma": "AVX512IFMA", "avx512vbmi": "AVX512VBMI",
    "mpx": "MPX", "hle": "TSX", "rtm": "TSX", "pcid": "PCID", "pdpe1gb": "PDPE1GB", "stibp": "STIBP", "ssbd": "SSBD",
    "svm": "AMD_SVM", "vmx": "INTEL_VMX", "md-clear": "INTEL_MD_CLEAR", "spec-ctrl": "INTEL_SPEC_CTRL",
    "3dnowext": "AMD_3DNOWEXT", "ibpb": "AMD_IBPB", "virt-ssbd": "AMD_VIRT_SSBD", "amd-ssbd": "AMD_SSBD",
}


def traits(features: Iterable[str], architecture: str) -> set[str]:
    """Answer the traits which these CPU features amount to. Features without a trait are left out."""
    if architecture not in ("x86_64", "i686"):
        return set()
    return {f"HW_CPU_X86_{_X86[name]}" for name in features if name in _X86}
