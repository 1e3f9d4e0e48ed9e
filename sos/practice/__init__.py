"""The practice network: invented people, preview phones, and a tour. None of it can exist beside a real provider."""
