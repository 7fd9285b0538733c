deep: {data: AAEC/w==}
